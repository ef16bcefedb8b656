// Clients of `serve` in Node.js: `ws`, undici's WebSocket, and the one built into node where there is one.
// Prints one line of JSON for each check: {"name", "ok", "detail"}.
import { createRequire } from "node:module";
import assert from "node:assert/strict";
import path from "node:path";

const [modules, library, url, urlWithSubprotocols] = process.argv.slice(2);
const require = createRequire(path.join(modules, "package.json"));
const Socket = {
  ws: () => require("ws").WebSocket,
  undici: () => require("undici").WebSocket,
  node: () => globalThis.WebSocket,
}[library]();

const MIB = 2 ** 20;
const TIMEOUT = 120_000;

/** A connection with a queue of its events: {type, data | code, reason}. */
class Peer {
  constructor(address, protocols = [], options = undefined) {
    this.socket = options ? new Socket(address, protocols, options) : new Socket(address, protocols);
    this.socket.binaryType = "arraybuffer";
    this.events = [];
    this.waiting = null;
    this.socket.onopen = () => this.put({ type: "open" });
    this.socket.onmessage = ({ data }) => this.put({ type: "message", data });
    this.socket.onerror = () => {}; // a close event follows in any case
    this.socket.onclose = ({ code, reason, wasClean }) => this.put({ type: "close", code, reason, wasClean });
  }
  put(event) {
    this.events.push(event);
    this.waiting?.();
  }
  async event(type) {
    if (this.events.length === 0) {
      await new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no ${type} came`)), TIMEOUT);
        this.waiting = () => { clearTimeout(timer); this.waiting = null; resolve(); };
      });
    }
    const event = this.events.shift();
    assert.equal(event.type, type, JSON.stringify(event).slice(0, 200));
    return event;
  }
  async echo(data) {
    this.socket.send(data);
    return (await this.event("message")).data;
  }
}

async function opened(address = url, protocols = [], options = undefined) {
  const peer = new Peer(address, protocols, options);
  await peer.event("open");
  return peer;
}

async function closed(peer, code, reason) {
  peer.socket.close(code, reason);
  return peer.event("close");
}

function pattern(length) {
  return new Uint8Array(length).map((_, i) => (i * 7) % 251);
}

const checks = {
  async text() {
    const peer = await opened();
    for (const text of ["hello", "", "Größe 漢字 🎉 \u0000", "a".repeat(126), "é".repeat(40_000)]) {
      assert.equal(await peer.echo(text), text);
    }
    await closed(peer, 1000);
  },
  async binary() {
    const peer = await opened();
    for (const length of [0, 1, 125, 126, 65535, 65536, MIB]) {
      const data = pattern(length);
      assert.ok(Buffer.from(await peer.echo(data)).equals(Buffer.from(data)), `${length} bytes`);
    }
    await closed(peer, 1000);
  },
  async "thousand messages in order"() {
    const peer = await opened();
    for (let i = 0; i < 1000; i++) peer.socket.send(`message ${i}`);
    for (let i = 0; i < 1000; i++) assert.equal((await peer.event("message")).data, `message ${i}`);
    await closed(peer, 1000);
  },
  async "close code and reason"() {
    for (const [code, reason] of [[1000, ""], [1000, "bye"], [4321, "ü".repeat(61)]]) {
      const peer = await opened();
      const event = await closed(peer, code, reason);
      assert.equal(event.code, code);
      assert.equal(event.wasClean, true);
    }
  },
  async "close without a code"() {
    const event = await closed(await opened());
    assert.ok([1000, 1005].includes(event.code), String(event.code));
    assert.equal(event.wasClean, true);
  },
  async subprotocol() {
    const peer = await opened(urlWithSubprotocols, ["unknown", "second"]);
    assert.equal(peer.socket.protocol, "second");
    assert.equal(await peer.echo("hello"), "hello");
    await closed(peer, 1000);
  },
  async "fifty at once"() {
    const peers = await Promise.all(Array.from({ length: 50 }, () => opened()));
    const answers = await Promise.all(peers.map((peer, i) => peer.echo(`peer ${i}`)));
    answers.forEach((answer, i) => assert.equal(answer, `peer ${i}`));
    await Promise.all(peers.map((peer) => closed(peer, 1000)));
  },
};

if (process.env.PEERS_DEFLATE === "1") {
  checks["compression"] = async () => {
    const peer = await opened();
    assert.ok(peer.socket.extensions.startsWith("permessage-deflate"), peer.socket.extensions);
    for (let i = 0; i < 20; i++) {
      const text = `the same again and again ${i % 3} `.repeat(200);
      assert.equal(await peer.echo(text), text);
    }
    await closed(peer, 1000);
  };
}

if (library === "ws") {
  Object.assign(checks, {
    async "ping and pong"() {
      const peer = await opened();
      for (const data of ["", "x", "y".repeat(125)]) {
        const pong = new Promise((resolve) => peer.socket.once("pong", resolve));
        peer.socket.ping(data);
        assert.equal((await pong).toString(), data);
      }
      await closed(peer, 1000);
    },
    async fragments() {
      const peer = await opened(url, [], { perMessageDeflate: false });
      const bytes = Buffer.from("Größe 漢字 🎉");
      for (const [i, byte] of bytes.entries()) {
        peer.socket.send(Buffer.from([byte]), { binary: false, fin: i === bytes.length - 1 });
        peer.socket.ping("between");
      }
      assert.equal((await peer.event("message")).data, bytes.toString());
      await closed(peer, 1000);
    },
    async "64 MiB pass and one byte more is 1009"() {
      const peer = await opened(url, [], { perMessageDeflate: false, maxPayload: 0 });
      const data = Buffer.alloc(64 * MIB, 0xa5);
      assert.ok(Buffer.from(await peer.echo(data)).equals(data));
      peer.socket.send(Buffer.alloc(64 * MIB + 1));
      assert.equal((await peer.event("close")).code, 1009);
    },
    async "text that is not UTF-8 is 1007"() {
      const peer = await opened(url, [], { perMessageDeflate: false });
      peer.socket.send(Buffer.from([0x61, 0xff]), { binary: false });
      assert.equal((await peer.event("close")).code, 1007);
    },
    async "refusal"() {
      const status = await new Promise((resolve, reject) => {
        const socket = new Socket(url, { protocolVersion: 8 });
        socket.on("unexpected-response", (request, response) => {
          resolve([response.statusCode, response.headers["sec-websocket-version"]]);
          request.destroy();
        });
        socket.on("open", () => reject(new Error("it opened")));
        socket.on("error", () => {});
      });
      assert.deepEqual(status, [426, "13"]);
    },
  });
  if (process.env.PEERS_DEFLATE === "1") {
    for (const takeover of [true, false]) {
      checks[`compression, context takeover ${takeover}`] = async () => {
        const perMessageDeflate = { serverMaxWindowBits: 10, clientMaxWindowBits: 10, threshold: 0 };
        // `false` would refuse a server that chooses to do without; saying nothing leaves the choice to it.
        if (!takeover) Object.assign(perMessageDeflate, { serverNoContextTakeover: true, clientNoContextTakeover: true });
        const peer = await opened(url, [], { perMessageDeflate });
        assert.ok(peer.socket.extensions.startsWith("permessage-deflate"), peer.socket.extensions);
        for (let i = 0; i < 20; i++) {
          const text = `the same again and again ${i % 3} `.repeat(200);
          assert.equal(await peer.echo(text), text);
        }
        await closed(peer, 1000);
      };
    }
  }
}

for (const [name, check] of Object.entries(checks)) {
  let result;
  try {
    await check();
    result = { name, ok: true };
  } catch (error) {
    result = { name, ok: false, detail: String(error.stack).slice(0, 1000) };
  }
  console.log(JSON.stringify(result));
}
process.exit(0);
