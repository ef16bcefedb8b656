"""Frames over plain TCP that no library would send: each violation gets its Close code, then the end of the stream."""

import pytest

from wire import (
    BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Connection, close_body, frame, request, upgraded,
)

MIB = 2**20

VIOLATIONS = {
    "unmasked text": (frame(TEXT, b"hello", mask=False), 1002),
    "unmasked empty text": (frame(TEXT, mask=False), 1002),
    "unmasked close": (frame(CLOSE, mask=False), 1002),
    **{f"reserved bit {bit}": (frame(TEXT, b"x", rsv=bit), 1002) for bit in (1, 2, 4)},
    **{f"opcode {opcode}": (frame(opcode, b"x"), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "125 bytes in the 16-bit form": (frame(BINARY, b"a" * 125, form=16), 1002),
    "0 bytes in the 64-bit form": (frame(BINARY, form=64), 1002),
    "65535 bytes in the 64-bit form": (frame(BINARY, form=64, length=65535), 1002),
    "length with the top bit": (frame(BINARY, form=64, length=2**63), 1002),
    "length of all ones": (frame(BINARY, form=64, length=2**64 - 1), 1002),
    "length 2^64 - 4": (frame(BINARY, form=64, length=2**64 - 4), 1002),
    "length 2^63 - 1": (frame(BINARY, form=64, length=2**63 - 1), 1009),
    "64 MiB and one byte": (frame(BINARY, form=64, length=64 * MIB + 1), 1009),
    "sum over 64 MiB": (frame(BINARY, b"ab", fin=False) + frame(CONTINUATION, length=64 * MIB - 1), 1009),
    "ping of 126 bytes": (frame(PING, b"a" * 126), 1002),
    "close of 126 bytes": (frame(CLOSE, close_body(1000, b"a" * 124)), 1002),
    "fragmented ping": (frame(PING, b"a", fin=False), 1002),
    "fragmented close": (frame(CLOSE, close_body(1000), fin=False), 1002),
    "continuation without a start": (frame(CONTINUATION, b"a"), 1002),
    "text inside a message": (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
    "binary inside a message, after a ping": (
        frame(TEXT, b"a", fin=False) + frame(PING) + frame(BINARY, b"b", fin=False), 1002,
    ),
    "close body of one byte": (frame(CLOSE, b"\x03"), 1002),
    **{
        f"close code {code}": (frame(CLOSE, close_body(code)), 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535)
    },
    "close reason not UTF-8": (frame(CLOSE, close_body(1000, b"bye\xff")), 1007),
    "close reason cut in a character": (frame(CLOSE, close_body(1000, "bye é".encode()[:-1])), 1007),
    "text not UTF-8": (frame(TEXT, b"hello\xff"), 1007),
    "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "overlong": (frame(TEXT, b"\xc0\xaf"), 1007),
    "above U+10FFFF": (frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    "text ends in a character": (frame(TEXT, "é".encode()[:1]), 1007),
    "character cut by a new message": (frame(TEXT, b"\xe2\x82", fin=False) + frame(CONTINUATION, b"a"), 1007),
    # Only the beginning of the frame comes: the verdict may not wait for the rest.
    "first bad byte of an unfinished frame": (frame(TEXT, b"ab\xff", length=1000), 1007),
}

CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]

both_ways = pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])


@both_ways
@pytest.mark.parametrize("name", VIOLATIONS)
def test_violation(serve, name, bytewise):
    data, code = VIOLATIONS[name]
    connection, _ = upgraded(serve)
    with connection:
        # What comes behind the violation must be ignored.
        connection.send(data + frame(TEXT, b"behind"), bytewise)
        if "after a ping" in name:
            assert connection.frame() == (PONG, b"")
        assert connection.closed_with()[0] == code


@both_ways
@pytest.mark.parametrize("code", CODES)
def test_close_is_answered_once_with_its_code(serve, code, bytewise):
    connection, _ = upgraded(serve)
    with connection:
        connection.send(frame(CLOSE, close_body(code, b"bye")) + frame(TEXT, b"behind") + frame(CLOSE), bytewise)
        assert connection.closed_with()[0] == code


def test_close_without_a_code(serve):
    connection, _ = upgraded(serve)
    with connection:
        connection.send(frame(CLOSE))
        # An empty Close may be answered with an empty one or with 1000.
        assert connection.closed_with()[0] in (1000, 1005)


def test_close_inside_a_message(serve):
    connection, _ = upgraded(serve)
    with connection:
        connection.send(frame(TEXT, b"half", fin=False) + frame(CLOSE, close_body(1001)))
        assert connection.closed_with()[0] == 1001


@both_ways
def test_fragments_with_pings_between(serve, bytewise):
    text = "Größe 漢字 🎉".encode()
    data = b""
    for i, byte in enumerate(text):
        data += frame(TEXT if i == 0 else CONTINUATION, bytes([byte]), fin=False)
    data += frame(CONTINUATION)
    connection, _ = upgraded(serve)
    with connection:
        connection.send(data + frame(PING, b"last"), bytewise)
        answers = sorted([connection.frame(), connection.frame()])
        assert answers == [(TEXT, text), (PONG, b"last")]


def test_each_ping_is_answered_when_it_is_waited_for(serve):
    connection, _ = upgraded(serve)
    with connection:
        for i in range(126):
            connection.send(frame(PING, b"p" * i))
            assert connection.frame() == (PONG, b"p" * i)


def test_flood_of_pings_and_the_latest_pong(serve):
    connection, _ = upgraded(serve)
    with connection:
        connection.send(b"".join(frame(PING, b"%d" % i) for i in range(20_000)) + frame(TEXT, b"done"))
        pongs = []
        while True:
            opcode, payload = connection.frame()
            if opcode == PONG:
                pongs.append(int(payload))
            if (opcode, payload) == (TEXT, b"done"):
                break
        if not pongs or pongs[-1] != 19_999:
            opcode, payload = connection.frame()
            assert opcode == PONG
            pongs.append(int(payload))
        assert pongs == sorted(set(pongs)) and pongs[-1] == 19_999


def test_unsolicited_pong(serve):
    connection, _ = upgraded(serve)
    with connection:
        connection.send(frame(PONG, b"unasked") + frame(TEXT, b"fine"))
        assert connection.frame() == (TEXT, b"fine")


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 128, 65535, 65536, 65537, MIB])
def test_lengths(serve, length):
    payload = bytes(i % 251 for i in range(length))
    connection, _ = upgraded(serve)
    with connection:
        connection.send(frame(BINARY, payload))
        assert connection.message() == (BINARY, payload)


def test_message_of_many_small_fragments(serve):
    """1 MiB in fragments of 1 KiB, as libwebsockets cuts it, must pass."""
    payload = bytes(MIB)
    data = b"".join(
        frame(BINARY if i == 0 else CONTINUATION, payload[i : i + 1024], fin=i + 1024 == MIB) for i in range(0, MIB, 1024)
    )
    connection, _ = upgraded(serve)
    with connection:
        connection.send(data)
        assert connection.message() == (BINARY, payload)


def test_endless_empty_fragments_end(serve):
    connection, _ = upgraded(serve)
    with connection:
        connection.send(frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 1_000_000)
        assert connection.closed_with()[0] in (1008, 1009)


def test_others_go_on_while_one_misbehaves(serve):
    calm, _ = upgraded(serve)
    with calm:
        for data, code in VIOLATIONS.values():
            wild, _ = upgraded(serve)
            with wild:
                wild.send(data)
                calm.send(frame(TEXT, b"still here"))
                assert calm.frame() == (TEXT, b"still here")
        calm.send(frame(CLOSE, close_body(1000)))
        assert calm.closed_with() == (1000, "")


def test_connection_dropped_at_every_point_of_the_handshake(serve):
    data = request() + frame(TEXT, b"hello")
    for cut in range(len(data)):
        with Connection(serve) as connection:
            connection.send(data[:cut])
    connection, _ = upgraded(serve)
    with connection:
        connection.send(frame(TEXT, b"alive"))
        assert connection.frame() == (TEXT, b"alive")
