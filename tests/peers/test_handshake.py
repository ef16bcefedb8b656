"""The opening handshake of `serve`, over plain TCP (RFC 6455 section 4.2)."""

import pytest

from wire import BINARY, PING, PONG, TEXT, Connection, accept_for, frame, request, upgraded

SAMPLES = {
    "sN9cRrP/n9NdMgdcy2VJFQ==": "fFBooB7FAkLlXgRSz0BT3v4hq5s=",
    "x3JJHMbDL1EzLkh9GBhXDw==": "HSmrc0sMlYUkAGmm5OPpG2HaGWk=",
    "T2a6wZlAwhgQNqruZ2YUyg==": "iBJKv/ALIW2DobfoA4dmr3JHBCY=",
}

HIXIE_76 = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nOrigin: http://127.0.0.1\r\n"
    b"Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nSec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\n\r\n^n:ds[4U"
)

# What is refused, with which status.
REFUSED = {
    "POST": (request(method="POST"), 405),
    "HTTP/1.0": (request(version="HTTP/1.0"), 505),
    "HTTP/2.0": (request(version="HTTP/2.0"), 505),
    "no Host": (request(without=["host"]), 400),
    "two Hosts": (request(extra=["Host: 127.0.0.1"]), 400),
    "no key": (request(without=["sec-websocket-key"]), 400),
    "empty key": (request(sec_websocket_key=""), 400),
    "key of 15 bytes": (request(sec_websocket_key="AAAAAAAAAAAAAAAAAAAA"), 400),
    "key of 17 bytes": (request(sec_websocket_key="AAAAAAAAAAAAAAAAAAAAAAA="), 400),
    "key not base64": (request(sec_websocket_key="!N9cRrP/n9NdMgdcy2VJFQ=="), 400),
    "two keys": (request(extra=["Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw=="]), 400),
    "no version": (request(without=["sec-websocket-version"]), 426),
    "version 0": (request(sec_websocket_version="0"), 426),
    "version 8": (request(sec_websocket_version="8"), 426),
    "version 013": (request(sec_websocket_version="013"), 426),
    "two versions": (request(extra=["Sec-WebSocket-Version: 13"]), 426),
    "Hixie-76": (HIXIE_76, 426),
    "subprotocol twice": (request(extra=["Sec-WebSocket-Protocol: chat, chat"]), 400),
    "subprotocol no token": (request(extra=["Sec-WebSocket-Protocol: a b"]), 400),
    "space before colon": (request(extra=["X-Odd : 1"]), 400),
    "folded line": (request(extra=["X-Odd: 1", " 2"]), 400),
    "NUL in a value": (request(extra=["X-Odd: a\0b"]), 400),
    "bare CR in a value": (request(extra=["X-Odd: a\rb"]), 400),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "a line of 1 MiB": (request(extra=["X-Long: " + "a" * 2**20]), 431),
    "10 000 headers": (request(extra=["X-Many: 1"] * 10_000), 431),
    "a request line without end": (b"GET /" + b"a" * 2**17, 431),
}


def refusal(connection):
    """Status and headers of a complete refusal: its length is right and nothing but the end of the stream follows."""
    status, headers, body = connection.response()
    # RFC 9110 section 7.8: the sender of Upgrade sends the connection option too.
    assert headers["connection"] == (["close", "Upgrade"] if "upgrade" in headers else ["close"])
    assert len(headers["content-length"]) == 1
    assert connection.to_end() == b""
    return status, headers, body


@pytest.mark.parametrize("bytewise", [False, True], ids=["whole", "bytewise"])
@pytest.mark.parametrize("name", REFUSED)
def test_refusal(serve, name, bytewise):
    data, expected = REFUSED[name]
    with Connection(serve) as connection:
        # Past a few KiB one packet per byte proves nothing more and takes minutes.
        connection.send(data, bytewise and len(data) < 4096)
        status, headers, _ = refusal(connection)
        assert status == expected
        if status == 426:
            assert headers["sec-websocket-version"] == ["13"]


def test_request_behind_a_refused_one_is_not_answered(serve):
    with Connection(serve) as connection:
        connection.send(request(sec_websocket_version="12") + request())
        assert refusal(connection)[0] == 426


@pytest.mark.parametrize("key", SAMPLES)
def test_sample_keys(serve, key):
    connection, headers = upgraded(serve, sec_websocket_key=key)
    with connection:
        assert headers["sec-websocket-accept"] == [SAMPLES[key]] == [accept_for(key)]
        assert headers["upgrade"][0].lower() == "websocket"
        assert headers["connection"][0].lower() == "upgrade"
        assert "sec-websocket-extensions" not in headers and "sec-websocket-protocol" not in headers


@pytest.mark.parametrize(
    "arguments",
    [
        dict(connection="keep-alive, Upgrade"),
        dict(connection="keep-alive", extra=["Connection: upgrade"]),
        dict(connection="keep-alive,\tUPGRADE ,x"),
        dict(upgrade="WebSocket"),
        dict(extra=["Content-Length: 0", "X-Bytes: \xff\xfe"]),
        dict(extra=["Sec-WebSocket-Extensions: x-unknown; a=1; b=\"2\", permessage-bogus"]),
        dict(sec_websocket_key="  sN9cRrP/n9NdMgdcy2VJFQ==\t"),
    ],
)
def test_unusual_but_right_requests(serve, arguments):
    connection, headers = upgraded(serve, **arguments)
    with connection:
        assert "sec-websocket-extensions" not in headers
        connection.send(frame(TEXT, b"hello"))
        assert connection.frame() == (TEXT, b"hello")


def test_request_byte_by_byte(serve):
    with Connection(serve) as connection:
        connection.send(request(), bytewise=True)
        assert connection.response(has_body=False)[0] == 101
        connection.send(frame(BINARY, bytes(range(100))), bytewise=True)
        assert connection.frame() == (BINARY, bytes(range(100)))


def test_frames_in_the_packet_of_the_request(serve):
    with Connection(serve) as connection:
        connection.send(request() + frame(TEXT, b"early") + frame(PING, b"p"))
        assert connection.response(has_body=False)[0] == 101
        # The ping may be answered before or behind the echo: a pong may stand at any frame boundary.
        assert sorted([connection.frame(), connection.frame()]) == [(TEXT, b"early"), (PONG, b"p")]


def test_subprotocols(serve, serve_with_subprotocols):
    offer = ["Sec-WebSocket-Protocol: unknown, second", "Sec-WebSocket-Protocol: first"]
    connection, headers = upgraded(serve_with_subprotocols, extra=offer)
    connection.socket.close()
    assert headers["sec-websocket-protocol"] in (["second"], ["first"])
    for address, offered in [(serve, offer), (serve_with_subprotocols, ["Sec-WebSocket-Protocol: unknown"])]:
        connection, headers = upgraded(address, extra=offered)
        connection.socket.close()
        assert "sec-websocket-protocol" not in headers


def test_plain_get_is_a_page(serve):
    plain = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with Connection(serve) as connection:
        connection.send(plain)
        status, headers, body = refusal(connection)
        assert status == 200
        assert headers["content-type"][0].startswith("text/html")
        assert b"WebSocket" in body
    with Connection(serve) as connection:
        connection.send(plain.replace(b"GET", b"HEAD"))
        status, head, _ = connection.response(has_body=False)
        assert status == 200 and head["content-length"] == [str(len(body))]
        assert connection.to_end() == b""


@pytest.mark.parametrize("path", ["/nothing", "/../../etc/passwd", "/%00", "/" + "a" * 2000])
def test_other_paths_are_not_found(serve, path):
    with Connection(serve) as connection:
        connection.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert refusal(connection)[0] == 404
