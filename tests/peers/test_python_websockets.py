"""Python's `websockets` as a client of `serve`."""

import asyncio
import random

import pytest
import websockets.asyncio.client
from conftest import DEFLATE, TIMEOUT
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

MIB = 2**20
TEXTS = ["hello", "", "Größe 漢字 🎉 \u0000 \U0010ffff", "a" * 125, "a" * 126, "é" * 40_000]


def open_to(address, **options):
    options = dict(compression=None, max_size=None, proxy=None, open_timeout=TIMEOUT, close_timeout=TIMEOUT) | options
    return connect(f"ws://{address[0]}:{address[1]}/", **options)


def echo(websocket, message):
    websocket.send(message)
    return websocket.recv(TIMEOUT)


@pytest.fixture(params=[None, "deflate"], ids=["plain", "deflate"])
def websocket(request, serve):
    if request.param and not DEFLATE:
        pytest.skip("without permessage-deflate")
    with open_to(serve, compression=request.param) as websocket:
        extensions = [extension.name for extension in websocket.protocol.extensions]
        assert extensions == (["permessage-deflate"] if request.param else [])
        yield websocket


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: f"{len(text)}-characters")
def test_text(websocket, text):
    assert echo(websocket, text) == text


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536, MIB])
def test_binary(websocket, length):
    message = bytes(i * 7 % 251 for i in range(min(length, 65536))) * max(1, length // 65536)
    assert echo(websocket, message) == message


def test_text_of_1_mib(websocket):
    message = "漢字ABC" * (MIB // 9)
    assert echo(websocket, message) == message


@pytest.mark.parametrize("fragments", [False, True], ids=["one-frame", "fragments"])
def test_64_mib_pass_and_one_byte_more_is_1009(serve, fragments):
    """The asyncio client of `websockets` reads while it sends, once its queue has no limit."""
    piece = b"\x5a" * MIB

    async def talk():
        options = dict(compression=None, max_size=None, max_queue=None, proxy=None, ping_interval=None)
        websocket = await websockets.asyncio.client.connect(f"ws://{serve[0]}:{serve[1]}/", **options)
        await websocket.send([piece] * 64 if fragments else piece * 64)
        assert await websocket.recv() == piece * 64
        with pytest.raises(ConnectionClosed) as closed:
            await websocket.send([piece] * 64 + [b"x"] if fragments else piece * 64 + b"x")
            await websocket.recv()
        assert closed.value.rcvd.code == 1009

    asyncio.run(asyncio.wait_for(talk(), TIMEOUT))


@pytest.mark.parametrize("mebibytes", [8, 64])
@pytest.mark.parametrize("first, rest", [("zeros", "zeros"), ("random", "random"), ("zeros", "random")])
def test_large_from_a_client_that_sends_before_it_reads(websocket, mebibytes, first, rest):
    """The blocking client of `websockets` reads a few frames ahead and no further: most of the echo has to wait for it."""
    pieces = {"zeros": bytes(MIB), "random": random.Random(1).randbytes(MIB)}
    message = pieces[first] + pieces[rest] * (mebibytes - 1)
    assert echo(websocket, message) == message


def test_fragments_of_text_and_binary(websocket):
    assert echo(websocket, ["Grö", "", "ße 漢", "字"]) == "Größe 漢字"
    assert echo(websocket, [b"", b"a", b"", b"b" * 70_000, b""]) == b"a" + b"b" * 70_000


def test_thousand_messages_in_order(websocket):
    for i in range(1000):
        websocket.send(f"message {i}")
    for i in range(1000):
        assert websocket.recv(TIMEOUT) == f"message {i}"


def test_ping_is_answered(websocket):
    for data in (b"", b"x", b"y" * 125):
        assert websocket.ping(data).wait(TIMEOUT)


@pytest.mark.parametrize("code, reason", [(1000, ""), (1001, "going"), (3000, ""), (4999, "Grüße " * 15)])
def test_close_code_comes_back(websocket, code, reason):
    websocket.close(code, reason)
    assert websocket.protocol.close_rcvd.code == code
    assert websocket.protocol.close_sent.code == code


def test_subprotocol(serve, serve_with_subprotocols):
    with open_to(serve_with_subprotocols, subprotocols=["unknown", "second"]) as websocket:
        assert websocket.subprotocol == "second"
        assert echo(websocket, "hello") == "hello"
    with open_to(serve, subprotocols=["second"]) as websocket:
        assert websocket.subprotocol is None


@pytest.mark.skipif(not DEFLATE, reason="without permessage-deflate")
@pytest.mark.parametrize("server_context", [True, False])
@pytest.mark.parametrize("client_context", [True, False])
@pytest.mark.parametrize("bits", [9, 12, 15])
@pytest.mark.parametrize("server", ["serve", "serve_with_context"])
def test_compression_parameters(request, server, server_context, client_context, bits):
    from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

    offer = ClientPerMessageDeflateFactory(
        server_no_context_takeover=not server_context, client_no_context_takeover=not client_context,
        server_max_window_bits=bits, client_max_window_bits=bits,
    )
    with open_to(request.getfixturevalue(server), compression=None, extensions=[offer]) as websocket:
        assert len(websocket.protocol.extensions) == 1
        for i in range(20):
            message = f"the same again and again, {i % 3} " * 200
            assert echo(websocket, message) == message
        assert echo(websocket, [b"abc" * 1000, b"", b"def" * 1000]) == b"abc" * 1000 + b"def" * 1000
        websocket.close(4000, "done")
        assert websocket.protocol.close_rcvd.code == 4000
