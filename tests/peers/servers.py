"""Servers in Python for our client, each in a thread on a free port. The path of the URI says what they do."""

import contextlib
import json
import queue
import socket
import threading

import websockets.sync.server
import wire
from conftest import DEFLATE
from websockets.exceptions import ConnectionClosed
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Request, TextMessage
from wsproto.extensions import PerMessageDeflate


def with_websockets():
    """Python's `websockets`: (port, how connections to /noticed were closed, close function)."""
    noticed = queue.Queue()

    def handler(websocket):
        path = websocket.request.path
        if path == "/echo":
            for message in websocket:
                websocket.send(message)
        elif path == "/headers":
            websocket.send(json.dumps(list(websocket.request.headers.raw_items())))
        elif path == "/binary":
            websocket.send(bytes(range(256)))
        elif path == "/ping":
            websocket.send("answered" if websocket.ping(b"are you there").wait(wire.TIMEOUT) else "silence")
        elif path == "/fragments":
            websocket.send(["Grö", "", "ße 漢", "字 🎉"])
        elif path == "/large":
            websocket.send("x" * 2**20)
        elif path.startswith("/close/"):
            websocket.close(int(path.removeprefix("/close/")), "as you wish")
        if path != "/echo" and not path.startswith("/close/"):
            with contextlib.suppress(ConnectionClosed):
                websocket.recv(wire.TIMEOUT)  # the client ends the conversation
        if path == "/noticed":
            noticed.put((websocket.close_code, websocket.close_reason))

    server = websockets.sync.server.serve(
        handler, "127.0.0.1", 0, select_subprotocol=lambda _, offered: "second" if "second" in offered else None,
        compression="deflate" if DEFLATE else None, max_size=None, close_timeout=wire.TIMEOUT,
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def close():
        server.shutdown()
        thread.join()

    return server.socket.getsockname()[1], noticed, close


class Listener:
    """A thread that hands each accepted socket to a function; everything it raises is kept."""

    def __init__(self, function):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.function = function
        self.results = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            peer.settimeout(wire.TIMEOUT)
            with peer:
                try:
                    self.results.append(self.function(peer))
                except Exception as error:  # given to the test, which compares it with what it expects
                    self.results.append(error)

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


def with_wsproto():
    """Python's `wsproto`: echoes in fragments of one character, with pings and dozens of empty fragments between."""

    def serve(peer):
        machine = WSConnection(ConnectionType.SERVER)
        while True:
            machine.receive_data(peer.recv(65536) or None)
            for event in machine.events():
                if isinstance(event, Request):
                    extensions = [PerMessageDeflate()] if DEFLATE and event.extensions else []
                    peer.sendall(machine.send(AcceptConnection(extensions=extensions)))
                elif isinstance(event, TextMessage):
                    for character in event.data:
                        out = machine.send(TextMessage(data=character, message_finished=False))
                        out += machine.send(Ping(payload=b"between"))
                        out += b"".join(machine.send(TextMessage(data="", message_finished=False)) for _ in range(12))
                        peer.sendall(out)
                    if event.message_finished:
                        peer.sendall(machine.send(TextMessage(data="")))
                elif isinstance(event, BytesMessage):
                    peer.sendall(machine.send(BytesMessage(event.data, message_finished=event.message_finished)))
                elif isinstance(event, CloseConnection):
                    with contextlib.suppress(Exception):
                        peer.sendall(machine.send(event.response()))
                    return event.code

    return Listener(serve)


class ClientRequest:
    """The client's request: its first line, and its headers in order."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]

    def __getitem__(self, name):
        values = [value for key, value in self.headers if key.lower() == name]
        assert len(values) == 1, f"{name}: {values}"
        return values[0]

    def __contains__(self, name):
        return any(key.lower() == name for key, _ in self.headers)


class ByHand:
    """A server by hand: answers with the bytes that a test gives, and keeps what the client then sent."""

    def __init__(self, peer):
        self.connection = wire.Connection.__new__(wire.Connection)
        self.connection.socket, self.connection.buffer = peer, b""
        self.request = ClientRequest(self.connection.until(b"\r\n\r\n"))

    def answer(self, *extra, without=(), accept=None):
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": accept or wire.accept_for(self.request["sec-websocket-key"]),
        }
        lines = ["HTTP/1.1 101 Switching Protocols"]
        lines += [f"{name}: {value}" for name, value in headers.items() if name.lower() not in without]
        return "\r\n".join([*lines, *extra]).encode("latin-1") + b"\r\n\r\n"

    def send(self, data, bytewise=False):
        self.connection.send(data, bytewise)

    def frame(self):
        """The client's next frame as (opcode, payload, mask key); it must be masked."""
        first, second = self.connection.exactly(2)
        assert not first & 0x70 and second & 0x80, f"{first:#x} {second:#x}"
        length = second & 0x7F
        if length >= 126:
            length = int.from_bytes(self.connection.exactly(2 if length == 126 else 8), "big")
        key = self.connection.exactly(4)
        payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(self.connection.exactly(length)))
        return first & 0x0F, payload, key

    def close_code(self):
        """The code of the Close that must come next; 1005 for an empty one."""
        opcode, payload, _ = self.frame()
        assert opcode == wire.CLOSE, f"opcode {opcode} with {payload[:40]!r}"
        return int.from_bytes(payload[:2], "big") if payload else 1005
