"""Bytes on the wire, made and read by hand: for what no well-behaved library can be made to send."""

import base64
import hashlib
import os
import socket
import struct

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
TIMEOUT = 60  # seconds; far above what anything here takes, so that only a hang meets it


def accept_for(key):
    """The answer that a key must get (RFC 6455 section 4.2.2)."""
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


def frame(opcode, payload=b"", *, fin=True, rsv=0, mask=True, length=None, form=None):
    """One frame. `length` claims another length than the payload's, `form` (7, 16, 64) forces a way to write it."""
    claimed = len(payload) if length is None else length
    if form is None:
        form = 7 if claimed < 126 else 16 if claimed < 65536 else 64
    out = bytearray([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if form == 7:
        out.append(bit | claimed)
    elif form == 16:
        out += struct.pack("!BH", bit | 126, claimed)
    else:
        out += struct.pack("!BQ", bit | 127, claimed)
    if mask:
        key = os.urandom(4)
        out += key
        payload = bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))
    return bytes(out) + payload


def close_body(code, reason=b""):
    return struct.pack("!H", code) + reason


class Connection:
    """A TCP connection that can write a request or frames whole or byte by byte, and read answers."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data, bytewise=False):
        """Writes; a peer that has already failed the connection and gone may refuse the rest."""
        try:
            if bytewise:
                for i in range(len(data)):
                    self.socket.sendall(data[i : i + 1])
            else:
                self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def fill(self):
        """Reads once more; False at the end of the stream."""
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def until(self, mark):
        while mark not in self.buffer:
            if not self.fill():
                raise EOFError(f"the peer ended the connection before {mark!r}: {self.buffer[:300]!r}")
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    def exactly(self, count):
        while len(self.buffer) < count:
            if not self.fill():
                raise EOFError(f"the peer ended the connection {count - len(self.buffer)} bytes early")
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def to_end(self):
        """All that still comes. A reset raises: the peer must let its last bytes arrive."""
        while self.fill():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def response(self, has_body=True):
        """Status, headers (names in lower case, values as a list) and body of an HTTP answer."""
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status = lines[0].split(" ", 2)[:2]
        assert version == "HTTP/1.1", lines[0]
        headers = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            headers.setdefault(name.lower(), []).append(value.strip())
        body = self.exactly(int(headers["content-length"][0])) if has_body and "content-length" in headers else b""
        return int(status), headers, body

    def frame(self):
        """The next frame as (opcode, payload); it must be final, unmasked, minimal and without reserved bits."""
        first, second = self.exactly(2)
        assert first & 0x80 and not first & 0x70, f"first byte {first:#x}"
        assert not second & 0x80, "a server must not mask"
        length = second & 0x7F
        if length == 126:
            length = struct.unpack("!H", self.exactly(2))[0]
            assert length >= 126
        elif length == 127:
            length = struct.unpack("!Q", self.exactly(8))[0]
            assert length >= 65536
        return first & 0x0F, self.exactly(length)

    def message(self):
        """The next data message as (opcode, payload), joined from its fragments; control frames are not expected."""
        opcode, joined = None, b""
        while True:
            first, second = self.exactly(2)
            length = second & 0x7F
            if length == 126:
                length = struct.unpack("!H", self.exactly(2))[0]
            elif length == 127:
                length = struct.unpack("!Q", self.exactly(8))[0]
            assert first & 0x0F in (CONTINUATION, TEXT, BINARY), f"first byte {first:#x}"
            opcode = first & 0x0F if opcode is None else opcode
            joined += self.exactly(length)
            if first & 0x80:
                return opcode, joined

    def closed_with(self):
        """The code and reason of the Close that must come next; behind it must be the end of the stream, no reset."""
        opcode, body = self.frame()
        assert opcode == CLOSE, f"opcode {opcode} with {body[:40]!r}"
        assert self.to_end() == b"", "bytes behind a Close"
        return (struct.unpack("!H", body[:2])[0], body[2:].decode()) if body else (1005, "")


def request(path="/", *, method="GET", version="HTTP/1.1", without=(), extra=(), **replaced):
    """An upgrade request. `replaced` gives a header another value (`host="..."`), `without` leaves one out."""
    headers = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "sN9cRrP/n9NdMgdcy2VJFQ==",
        "Sec-WebSocket-Version": "13",
    }
    for name, value in replaced.items():
        known = next(h for h in headers if h.lower().replace("-", "_") == name)
        headers[known] = value
    lines = [f"{method} {path} {version}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if name.lower() not in without]
    lines += list(extra)
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def upgraded(address, **arguments):
    """A connection behind its 101, with the answer's headers."""
    connection = Connection(address)
    connection.send(request(**arguments))
    status, headers, _ = connection.response(has_body=False)
    assert status == 101, status
    return connection, headers
