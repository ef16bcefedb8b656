"""Python's `wsproto` as a client of `serve`: frames cut and mixed as its events allow."""

import socket

import pytest
from conftest import DEFLATE
from wire import TIMEOUT
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, RejectConnection, Request, TextMessage,
)
from wsproto.extensions import PerMessageDeflate


class Peer:
    """A wsproto connection over a socket."""

    def __init__(self, address, **request):
        self.socket = socket.create_connection(address, timeout=TIMEOUT)
        self.machine = WSConnection(ConnectionType.CLIENT)
        self.events = []
        self.send(Request(host=f"{address[0]}:{address[1]}", target="/", **request))
        self.opening = self.event()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *events):
        self.socket.sendall(b"".join(self.machine.send(event) for event in events))

    def event(self):
        while not self.events:
            data = self.socket.recv(65536)
            self.machine.receive_data(data or None)
            self.events += self.machine.events()
        return self.events.pop(0)

    def message(self):
        """The next data message, joined."""
        joined = None
        while True:
            event = self.event()
            assert isinstance(event, (TextMessage, BytesMessage)), event
            joined = event.data if joined is None else joined + event.data
            if event.message_finished:
                return joined

    def close(self, code, reason=None):
        self.send(CloseConnection(code=code, reason=reason))
        answer = self.event()
        assert isinstance(answer, CloseConnection)
        assert self.socket.recv(1) == b"", "the server ends the TCP connection"
        return answer.code


@pytest.fixture(params=[False, True], ids=["plain", "deflate"])
def peer(request, serve):
    if request.param and not DEFLATE:
        pytest.skip("without permessage-deflate")
    with Peer(serve, extensions=[PerMessageDeflate()] if request.param else []) as peer:
        assert isinstance(peer.opening, AcceptConnection)
        assert len(peer.opening.extensions) == request.param
        yield peer


@pytest.mark.parametrize("text", ["hello", "", "Größe 漢字 🎉", "x" * 70_000], ids=lambda text: str(len(text)))
def test_text(peer, text):
    peer.send(TextMessage(data=text))
    assert peer.message() == text


@pytest.mark.parametrize("length", [0, 125, 126, 65536, 2**20])
def test_binary(peer, length):
    data = (bytes(range(256)) * 4096)[:length]
    peer.send(BytesMessage(data=data))
    assert bytes(peer.message()) == data


def test_fragments_with_pings_between(peer):
    text = "Größe 漢字 🎉"
    for character in text:
        peer.send(TextMessage(data=character, message_finished=False), Ping(payload=character.encode()))
        answer = peer.event()
        assert isinstance(answer, Pong) and answer.payload == character.encode()
    peer.send(TextMessage(data="", message_finished=True))
    assert peer.message() == text


def test_dozens_of_empty_fragments(peer):
    peer.send(*[BytesMessage(data=b"", message_finished=False)] * 60, BytesMessage(data=b"end"))
    assert peer.message() == b"end"


@pytest.mark.parametrize("code, reason", [(1000, None), (1001, "bye"), (4000, "ü" * 61)])
def test_close(peer, code, reason):
    assert peer.close(code, reason) == code


def test_close_inside_a_message(peer):
    peer.send(TextMessage(data="half", message_finished=False))
    assert peer.close(1000) == 1000


def test_subprotocol(serve_with_subprotocols):
    with Peer(serve_with_subprotocols, subprotocols=["other", "first"]) as peer:
        assert peer.opening.subprotocol == "first"


def test_refusal(serve):
    with Peer(serve, extra_headers=[(b"Sec-WebSocket-Key", b"x3JJHMbDL1EzLkh9GBhXDw==")]) as peer:
        assert isinstance(peer.opening, RejectConnection) and peer.opening.status_code == 400


@pytest.mark.skipif(not DEFLATE, reason="without permessage-deflate")
@pytest.mark.parametrize("takeover", [True, False])
@pytest.mark.parametrize("server", ["serve", "serve_with_context"])
def test_compressed_messages(request, server, takeover):
    offer = PerMessageDeflate(client_no_context_takeover=not takeover, server_no_context_takeover=not takeover)
    with Peer(request.getfixturevalue(server), extensions=[offer]) as peer:
        for i in range(20):
            text = f"the same again and again {i % 3} " * 200
            peer.send(TextMessage(data=text[:777], message_finished=False), TextMessage(data=text[777:]))
            assert peer.message() == text
        assert peer.close(1000) == 1000
