// A WebSocket client that does what it is told, right or wrong: bytes over TCP.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { within } from "./server.mjs";

export const head = (path = "/", ...lines) =>
  ["GET " + path + " HTTP/1.1", "Host: test", "Upgrade: websocket", "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", ...lines, "", ""].join("\r\n");

// One frame as a client sends it. `first` is its first byte; `claim` a length to claim instead of the true one.
export function frame(first, payload = "", { masked = true, claim } = {}) {
  const body = Buffer.from(payload);
  const length = BigInt(claim ?? body.length);
  const bit = masked ? 0x80 : 0;
  let header;
  if (length < 126n) header = Buffer.from([first, bit | Number(length)]);
  else if (length < 65536n) {
    header = Buffer.from([first, bit | 126, 0, 0]);
    header.writeUInt16BE(Number(length), 2);
  } else {
    header = Buffer.alloc(10);
    header[0] = first;
    header[1] = bit | 127;
    header.writeBigUInt64BE(length, 2);
  }
  if (!masked) return Buffer.concat([header, body]);
  const key = randomBytes(4);
  return Buffer.concat([header, key, body.map((byte, i) => byte ^ key[i & 3])]);
}

export class Client {
  static async connect(address) {
    const client = new Client();
    const { hostname, port } = new URL(`http://${address}`);
    client.socket = net.connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    client.socket.setNoDelay(true);
    client.received = [];
    client.length = 0;
    client.looking = new Set();
    const look = () => { for (const each of client.looking) each(); };
    client.socket.on("data", (bytes) => { client.received.push(bytes); client.length += bytes.length; look(); });
    for (const end of ["end", "close"]) client.socket.on(end, () => { client.ended = true; look(); });
    client.socket.on("error", (error) => { client.error = error; });
    await within(once(client.socket, "connect"), "a connection");
    return client;
  }

  static async open(address, path, ...lines) {
    const client = await Client.connect(address);
    client.socket.write(head(path, ...lines));
    await client.until(() => client.bytes().includes("\r\n\r\n"), "the answer to the handshake");
    const bytes = client.bytes();
    if (!bytes.toString("latin1").startsWith("HTTP/1.1 101 ")) throw new Error(bytes.toString("latin1").split("\r\n")[0]);
    client.replace(bytes.subarray(bytes.indexOf("\r\n\r\n") + 4));
    return client;
  }

  replace(bytes) {
    this.received = [bytes];
    this.length = bytes.length;
  }

  bytes() {
    if (this.received.length > 1) this.received = [Buffer.concat(this.received)];
    return this.received[0] ?? Buffer.alloc(0);
  }

  until(condition, what) {
    return within(new Promise((resolve) => {
      const look = () => {
        if (!condition()) return;
        this.looking.delete(look);
        resolve();
      };
      this.looking.add(look);
      look();
    }), what);
  }

  // Whole, or one byte after the other, each in a packet of its own as far as TCP lets us say.
  async write(bytes, pieces) {
    if (pieces === "whole") {
      this.socket.write(bytes);
      return;
    }
    for (let i = 0; i < bytes.length && !this.ended && !this.error; i++) {
      await new Promise((resolve) => this.socket.write(bytes.subarray(i, i + 1), () => setImmediate(resolve)));
    }
  }

  // The payload of the next message in one frame of at most 65535 bytes.
  async message() {
    const size = () => {
      const [bytes, length] = [this.bytes(), this.length];
      if (length < 2) return Infinity;
      const short = bytes[1] & 0x7f;
      if (short < 126) return 2 + short;
      return length < 4 ? Infinity : 4 + bytes.readUInt16BE(2);
    };
    await this.until(() => this.length >= size() || this.ended, "a message");
    if (this.length < size()) throw new Error("the connection ended");
    const [bytes, end] = [this.bytes(), size()];
    this.replace(bytes.subarray(end));
    return bytes.subarray(bytes[1] < 126 ? 2 : 4, end);
  }

  // What the server sends until it ends the connection: the code of a Close at its end, else the first line.
  async verdict() {
    await this.until(() => this.ended, "the server to end the connection");
    const bytes = this.bytes();
    const end = bytes.lastIndexOf(Buffer.from([0x88, 0x02]));
    if (end >= 0 && end === bytes.length - 4) return bytes.readUInt16BE(end + 2);
    return bytes.toString("latin1").split("\r\n")[0];
  }

  drop() {
    this.socket.destroy();
  }
}
