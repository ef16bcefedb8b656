"""Our command-line `client` against servers made with other libraries, and against servers by hand that misbehave.

Its contract: lines of the standard input leave as text messages; each event is one line of the standard output; the exit
code is 0 closed normally, 1 usage, 2 cannot connect, 3 handshake refused, 4 protocol failure, 5 abnormal or other close.
"""

import json
import socket
import threading

import pytest
import servers
import wire
from conftest import DEFLATE
from wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_body, frame


@pytest.fixture(scope="module")
def websockets_server():
    port, noticed, close = servers.with_websockets()
    yield port, noticed
    close()


@pytest.fixture(scope="module")
def wsproto_server():
    listener = servers.with_wsproto()
    yield listener.port
    listener.close()


@pytest.fixture
def by_hand():
    """Starts a server by hand with a function of `servers.ByHand`; gives its listener."""
    started = []

    def start(function):
        started.append(servers.Listener(lambda peer: function(servers.ByHand(peer))))
        return started[-1]

    yield start
    for listener in started:
        listener.close()


def result_of(listener):
    listener.close()
    assert len(listener.results) == 1
    if isinstance(listener.results[0], Exception):
        raise listener.results[0]
    return listener.results[0]


def uri(port, path="/"):
    return f"ws://127.0.0.1:{port}{path}"


LINES = ["hello", "", "Größe 漢字 🎉", "a" * 125, "a" * 126, "é" * 40_000, "x" * 2**20]


@pytest.mark.parametrize("peer", ["websockets", "ws"])
def test_echo(client, websockets_server, node_server, peer):
    program = client(uri(websockets_server[0] if peer == "websockets" else node_server, "/echo"))
    assert program.line() == "open"
    for line in LINES:
        program.write(line + "\n")
        assert program.line() == f"text {line}"
    program.end_input()
    assert program.finish() == (0, ["close 1000"])


def test_all_input_at_once_is_echoed_before_the_end(client, serve):
    program = client(uri(serve[1]))
    program.write("".join(f"message {i}\n" for i in range(1000)))
    program.end_input()
    assert program.finish() == (0, ["open", *(f"text message {i}" for i in range(1000)), "close 1000"])


def test_last_line_without_its_end(client, serve):
    program = client(uri(serve[1]))
    program.write("one\ntwo")
    program.end_input()
    assert program.finish() == (0, ["open", "text one", "text two", "close 1000"])


def test_more_than_any_buffer_holds(client, serve):
    """40 MiB in lines that come back while they still leave: a client that writes without reading never ends."""
    program = client(uri(serve[1]))
    lines = [f"{i} " + "x" * 2**20 for i in range(40)]
    writer = threading.Thread(target=lambda: (program.write("\n".join(lines)), program.end_input()))
    writer.start()
    try:
        assert program.finish() == (0, ["open", *(f"text {line}" for line in lines), "close 1000"])
    finally:
        writer.join()


def test_input_that_is_not_utf8(client, serve):
    program = client(uri(serve[1]))
    program.child.stdin.write(b"good\n\xff\nnever sent\n")
    program.end_input()
    code, lines = program.finish()
    assert code == 1 and "text never sent" not in lines and lines[-1] == "close 1000"


def test_fragments_and_pings_of_wsproto(client, wsproto_server):
    program = client(uri(wsproto_server))
    assert program.line() == "open"
    program.write("Größe 漢字\n")
    events = []
    while not (line := program.line()).startswith("text"):
        events.append(line)
    assert line == "text Größe 漢字"
    assert events and set(events) == {"ping " + b"between".hex()}
    program.end_input()
    assert program.finish()[0] == 0


def test_fragments_of_websockets(client, websockets_server):
    program = client(uri(websockets_server[0], "/fragments"))
    assert [program.line(), program.line()] == ["open", "text Größe 漢字 🎉"]
    program.end_input()
    assert program.finish() == (0, ["close 1000"])


def test_fragments_and_pings_of_ws(client, node_server):
    program = client(uri(node_server, "/fragments"))
    code, lines = program.finish()
    assert code == 0
    assert lines[0] == "open" and lines[-1] == "close 1000 three pongs"
    assert "text Größe 漢字" in lines and lines.count("ping " + b"between".hex()) == 3


def test_binary(client, websockets_server, node_server):
    for port, data in [(websockets_server[0], bytes(range(256))), (node_server, bytes([0, 1, 2, 254, 255]))]:
        program = client(uri(port, "/binary"))
        assert [program.line(), program.line()] == ["open", f"binary {data.hex()}"]
        program.end_input()
        assert program.finish() == (0, ["close 1000"])


def test_ping_is_answered_and_shown(client, websockets_server):
    program = client(uri(websockets_server[0], "/ping"))
    assert program.line() == "open"
    assert program.line() == "ping " + b"are you there".hex()
    assert program.line() == "text answered"
    program.end_input()
    assert program.finish()[0] == 0


def test_large_message(client, websockets_server):
    program = client(uri(websockets_server[0], "/large"))
    assert [program.line(), program.line()] == ["open", "text " + "x" * 2**20]
    program.end_input()
    assert program.finish()[0] == 0


@pytest.mark.parametrize("code, status", [(1000, 0), (1001, 0), (1008, 5), (1011, 5), (4001, 5)])
def test_close_by_the_server(client, websockets_server, code, status):
    program = client(uri(websockets_server[0], f"/close/{code}"))
    assert program.finish() == (status, ["open", f"close {code} as you wish"])


def test_close_by_node(client, node_server):
    assert client(uri(node_server, "/close")).finish() == (5, ["open", "close 4001 enough"])
    assert client(uri(node_server, "/going")).finish() == (0, ["open", "close 1001 leaving"])
    assert client(uri(node_server, "/drop")).finish() == (5, ["open", "close 1006"])


def test_own_close_code_and_reason(client, websockets_server):
    port, noticed = websockets_server
    program = client(uri(port, "/noticed"), "--close", "4321:Grüße")
    assert program.line() == "open"
    program.end_input()
    # The server repeats our code, and 4321 is what the user asked for: a normal end.
    assert program.finish()[0] == 0
    assert noticed.get(timeout=wire.TIMEOUT) == (4321, "Grüße")


def test_subprotocol(client, websockets_server, node_server):
    for port in (websockets_server[0], node_server):
        program = client(uri(port, "/echo"), "--subprotocol", "first", "--subprotocol", "second")
        assert program.line() == "open second"
        program.end_input()
        assert program.finish()[0] == 0


def test_headers_and_origin(client, websockets_server):
    port = websockets_server[0]
    program = client(
        uri(port, "/headers"), "--header", "X-One: 1", "--header", "X-Two:  two words ", "--origin", "https://example.com",
    )
    assert program.line() == "open"
    headers = [tuple(pair) for pair in json.loads(program.line().removeprefix("text "))]
    for pair in [
        ("X-One", "1"), ("X-Two", "two words"), ("Origin", "https://example.com"), ("Host", f"127.0.0.1:{port}"),
        ("Sec-WebSocket-Version", "13"),
    ]:
        assert headers.count(pair) == 1, (pair, headers)
    program.end_input()
    assert program.finish()[0] == 0


def test_refusal_is_shown(client, node_server):
    code, lines = client(uri(node_server, "/forbidden")).finish()
    assert code == 3
    assert lines[0] == "refused 403"
    assert "header X-Why: not here" in lines
    assert lines[-1] == "body go away"


def test_our_own_server(client, serve, serve_with_subprotocols):
    program = client(f"ws://{serve[0]}:{serve[1]}/")
    assert program.line() == "open"
    for line in LINES:
        program.write(line + "\n")
        assert program.line() == f"text {line}"
    program.end_input()
    assert program.finish() == (0, ["close 1000"])
    program = client(uri(serve_with_subprotocols[1]), "--subprotocol", "first")
    program.end_input()
    assert program.finish()[1][0] == "open first"


@pytest.mark.skipif(not DEFLATE, reason="without permessage-deflate")
def test_compression(client, serve, serve_with_context, websockets_server, node_server, wsproto_server):
    for address in [
        uri(serve[1]), uri(serve_with_context[1]), uri(websockets_server[0], "/echo"), uri(node_server, "/echo"),
        uri(wsproto_server),
    ]:
        program = client(address, "--deflate")
        assert [program.line(), program.line()] == ["open", "compression on"]
        for line in ["", "hello", "the same again and again " * 20, "the same again and again " * 21]:
            program.write(line + "\n")
            while (answer := program.line()).startswith("ping"):
                pass
            assert answer == f"text {line}"
        program.end_input()
        assert program.finish()[0] == 0


def test_cannot_connect(client):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets this port, and it refuses
        code, lines = client(uri(probe.getsockname()[1])).finish()
    assert (code, lines) == (2, [])


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["--bogus"], ["http://127.0.0.1/"], ["ws://"], ["ws://127.0.0.1:99999/"], ["ws://127.0.0.1/#fragment"],
        ["ws://127.0.0.1/a b"], ["ws://127.0.0.1/", "ws://127.0.0.1/"], ["ws://127.0.0.1/", "--subprotocol"],
        ["ws://127.0.0.1/", "--subprotocol", "two words"], ["ws://127.0.0.1/", "--header", "no colon"],
        ["ws://127.0.0.1/", "--header", "X: a\r\nY: b"], ["ws://127.0.0.1/", "--origin", "a\r\nY: b"],
        ["ws://127.0.0.1/", "--close", "1005"], ["ws://127.0.0.1/", "--close", "often"],
    ],
    ids=lambda arguments: " ".join(arguments) or "nothing",
)
def test_usage(client, arguments):
    program = client(*arguments)
    assert program.finish() == (1, [])
    program.stop()
    assert "usage" in "".join(program.errors).lower()


def test_help(client):
    code, lines = client("--help").finish()
    assert code == 0 and any(line.startswith("Usage:") for line in lines)


def test_request_on_the_wire(client, by_hand):
    def serve(server):
        server.send(server.answer() + frame(TEXT, b"early", mask=False))
        keys = []
        for expected in (b"one", b"two", b"three"):
            opcode, payload, key = server.frame()
            assert (opcode, payload) == (TEXT, expected)
            keys.append(key)
        assert len(set(keys)) == 3, "mask keys must be fresh"
        assert server.close_code() == 1000
        server.send(frame(CLOSE, close_body(1000), mask=False))
        return server.request

    listener = by_hand(serve)
    program = client(uri(listener.port, "/path?and=query"))
    assert [program.line(), program.line()] == ["open", "text early"]
    program.write("one\ntwo\nthree\n")
    program.end_input()
    assert program.finish()[0] == 0
    request = result_of(listener)
    assert request.line == "GET /path?and=query HTTP/1.1"
    assert request["upgrade"].lower() == "websocket"
    assert len(request["sec-websocket-key"]) == 24


def test_answer_and_frames_byte_by_byte(client, by_hand):
    def serve(server):
        server.send(
            server.answer() + frame(TEXT, "漢".encode()[:2], fin=False, mask=False) + frame(PING, b"p", mask=False)
            + frame(CONTINUATION, "漢".encode()[2:], mask=False) + frame(BINARY, b"\0\xff", mask=False)
            + frame(PONG, b"unasked", mask=False) + frame(CLOSE, mask=False),
            bytewise=True,
        )
        assert server.frame()[:2] == (PONG, b"p")
        assert server.close_code() in (1000, 1005)

    listener = by_hand(serve)
    program = client(uri(listener.port))
    code, lines = program.finish()
    assert lines == ["open", "ping 70", "text 漢", "binary 00ff", "pong " + b"unasked".hex(), "close 1005"]
    assert code == 0
    result_of(listener)


WRONG_ANSWERS = {
    "wrong accept": lambda server: server.answer(accept="s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
    "no accept": lambda server: server.answer(without=["sec-websocket-accept"]),
    "no upgrade": lambda server: server.answer(without=["upgrade"]),
    "no connection": lambda server: server.answer(without=["connection"]),
    "subprotocol not asked for": lambda server: server.answer("Sec-WebSocket-Protocol: chat"),
    "extension not asked for": lambda server: server.answer("Sec-WebSocket-Extensions: x-unknown"),
    "no HTTP": lambda server: b"SSH-2.0-OpenSSH\r\n\r\n",
    "a header without end": lambda server: b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"a" * 2**20,
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
def test_wrong_answer(client, by_hand, name):
    def serve(server):
        server.send(WRONG_ANSWERS[name](server))
        # Nothing may be sent on a connection that never opened.
        try:
            assert server.connection.to_end() == b""
        except ConnectionResetError:
            pass

    listener = by_hand(serve)
    code, lines = client(uri(listener.port)).finish()
    assert code == 4 and "open" not in lines
    result_of(listener)


def test_server_that_ends_during_the_handshake(client, by_hand):
    listener = by_hand(lambda server: server.send(b"HTTP/1.1 101 Swit"))
    code, lines = client(uri(listener.port)).finish()
    assert (code, lines) == (5, ["close 1006"])


VIOLATIONS = {
    "masked": (frame(TEXT, b"hello"), 1002),
    "masked and empty": (frame(TEXT), 1002),
    "reserved bit": (frame(TEXT, b"x", rsv=2, mask=False), 1002),
    "opcode 3": (frame(3, mask=False), 1002),
    "opcode 15": (frame(15, mask=False), 1002),
    "longer length form": (frame(TEXT, b"x", form=16, mask=False), 1002),
    "continuation without a start": (frame(CONTINUATION, mask=False), 1002),
    "fragmented ping": (frame(PING, fin=False, mask=False), 1002),
    "close body of one byte": (frame(CLOSE, b"\x03", mask=False), 1002),
    "close code 1006": (frame(CLOSE, close_body(1006), mask=False), 1002),
    "text not UTF-8": (frame(TEXT, b"\xff", mask=False), 1007),
    "far too long": (frame(BINARY, length=2**62, mask=False), 1009),
}


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize("name", VIOLATIONS)
def test_violation(client, by_hand, name, bytewise):
    data, expected = VIOLATIONS[name]

    def serve(server):
        server.send(server.answer() + data + frame(TEXT, b"behind", mask=False), bytewise)
        return server.close_code()

    listener = by_hand(serve)
    code, lines = client(uri(listener.port)).finish()
    assert code == 4
    assert lines[0] == "open" and not any(line.startswith(("text", "binary")) for line in lines)
    assert result_of(listener) == expected


def test_server_that_answers_the_close_with_another_code(client, by_hand):
    def serve(server):
        server.send(server.answer())
        assert server.close_code() == 4000
        server.send(frame(CLOSE, close_body(1000), mask=False))

    listener = by_hand(serve)
    program = client(uri(listener.port), "--close", "4000")
    assert program.line() == "open"
    program.end_input()
    assert program.finish() == (0, ["close 1000"])
    result_of(listener)


def test_server_that_never_ends_the_tcp_connection(client, by_hand):
    def serve(server):
        server.send(server.answer())
        assert server.close_code() == 1000
        server.send(frame(CLOSE, close_body(1000), mask=False))
        return server.connection.to_end()  # the client gives up waiting and ends it

    listener = by_hand(serve)
    program = client(uri(listener.port))
    assert program.line() == "open"
    program.end_input()
    assert program.finish() == (0, ["close 1000"])
    assert result_of(listener) == b""
