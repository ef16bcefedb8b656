// Thousands of clients, and hostile ones, while one well-behaved client must not miss a thing.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { check } from "./checks.mjs";
import { Client, frame, head } from "./client.mjs";
import { Server, within } from "./server.mjs";

const CROWD = 3000;
const executable = process.argv[2];
const server = await Server.start(executable, ["127.0.0.1:0"]);

async function memory(server) {
  const status = await readFile(`/proc/${server.child.pid}/status`, "latin1").catch(() => "");
  const found = /VmRSS:\s+(\d+) kB/.exec(status);
  return found ? Number(found[1]) / 1024 : undefined;
}
const mebibytes = async (server) => (await memory(server))?.toFixed(1) ?? "unknown";

// The client that everything is judged by: it sends numbers, one at a time, and wants each of them back.
const witness = await Client.open(server.address);
let exchanged = 0;
let watching = true;
const watched = (async () => {
  while (watching) {
    witness.socket.write(frame(0x81, `number ${exchanged}`));
    assert.equal((await witness.message()).toString(), `number ${exchanged}`);
    exchanged += 1;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
})();
watched.catch(() => {}); // told by the check at the end

const OFFER = "Sec-WebSocket-Extensions: permessage-deflate";
// As a message of its own: without the empty block that ends a flush, and back.
const TAIL = Buffer.from([0, 0, 0xff, 0xff]);
const deflated = (bytes) => deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -TAIL.length);
const inflated = (bytes) => inflateRawSync(Buffer.concat([bytes, TAIL]), { finishFlush: constants.Z_SYNC_FLUSH });

await check(`${CROWD} connections at once, which all compress`, async () => {
  const before = await memory(server);
  const crowd = [];
  while (crowd.length < CROWD) {
    crowd.push(...await Promise.all(Array.from({ length: 100 }, () => Client.open(server.address, "/", OFFER))));
  }
  await Promise.all(crowd.map(async (client, i) => {
    const text = `client ${i}, `.repeat(10);
    client.socket.write(frame(0xc2, deflated(text)));
    assert.equal(inflated(await client.message()).toString(), text);
  }));
  const during = await memory(server);
  for (const client of crowd) client.drop();
  return before === undefined ? "" : `${((during - before) * 1024 / CROWD).toFixed(2)} KiB each`;
});

const CLOSE = frame(0x88, Buffer.from([3, 232]));
// After the handshake: what is sent, and the code that it ends with.
const frames = [
  ["reserved bit", frame(0xc1, "x"), 1002],
  ["reserved opcode", frame(0x83, "x"), 1002],
  ["reserved control opcode", frame(0x8b), 1002],
  ["unmasked frame", frame(0x81, "Hello", { masked: false }), 1002],
  ["unmasked empty frame", frame(0x81, "", { masked: false }), 1002],
  ["control frame of 126 bytes", frame(0x89, "p".repeat(126)), 1002],
  ["fragmented ping", frame(0x09, "p"), 1002],
  ["continuation of nothing", frame(0x80, "x"), 1002],
  ["message inside a message", Buffer.concat([frame(0x01, "a"), frame(0x89), frame(0x81, "b")]), 1002],
  ["length not in its shortest form", Buffer.from([0x82, 0xfe, 0, 1, 1, 2, 3, 4, 0]), 1002],
  ["length 2^63", frame(0x82, "", { claim: 1n << 63n }), 1002],
  ["length 2^64-1", frame(0x82, "", { claim: (1n << 64n) - 1n }), 1002],
  ["length 2^64-4", frame(0x82, "", { claim: (1n << 64n) - 4n }), 1002],
  ["length 2^63-1", frame(0x82, "", { claim: (1n << 63n) - 1n }), 1009],
  ["one byte above the limit, from the header alone", frame(0x82, "", { claim: (64n << 20n) + 1n }), 1009],
  ["text that is not UTF-8", frame(0x81, Buffer.from([0xce, 0xba, 0xed, 0xa0, 0x80])), 1007],
  ["text that ends inside a character", Buffer.concat([frame(0x01, Buffer.from([0xe2])), frame(0x80, Buffer.from([0x82]))]), 1007],
  ["close body of one byte", frame(0x88, Buffer.from([3])), 1002],
  ["close code 1005", frame(0x88, Buffer.from([3, 237])), 1002],
  ["close reason that is not UTF-8", frame(0x88, Buffer.from([3, 232, 0xff])), 1007],
  ["frames behind a Close", Buffer.concat([CLOSE, frame(0x83, "x"), frame(0x81, "x")]), 1000],
  ["Close inside a message", Buffer.concat([frame(0x01, "a"), CLOSE]), 1000],
];
// Instead of a handshake: what is sent, and the status that it ends with.
const heads = [
  ["another version", head().replace("Version: 13", "Version: 8"), 426],
  ["no Host", head().replace("Host: test\r\n", ""), 400],
  ["two keys", head("/", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400],
  ["short key", head().replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), 400],
  ["HTTP/1.0", head().replace("HTTP/1.1", "HTTP/1.0"), 505],
  ["POST", head().replace("GET", "POST"), 405],
  ["NUL in a value", head("/", "X: a\0b"), 400],
  ["bare CR", head("/", "X: a\rb"), 400],
  ["folded line", head("/", "X: a", " b"), 400],
  ["space before the colon", head("/", "X : a"), 400],
  ["one line of 64 KiB", `GET / HTTP/1.1\r\nX: ${"x".repeat(65536)}`, 431],
  ["10,000 headers", head("/", ...Array.from({ length: 10_000 }, (_, i) => `X-${i}: x`)), 431],
  ["not HTTP", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n", 400],
  ["a second request behind a refused one", head().replace("Version: 13", "Version: 0") + "GET / HTTP/1.1\r\nHost: test\r\n\r\n", 426],
  ["an unknown path", head("/nowhere"), 404],
  ["a foreign Origin in the chat", head("/chat", "Origin: http://elsewhere"), 403],
  ["Origin null in the log-in", head("/login", "Origin: null"), 403],
  ["another method", "DELETE / HTTP/1.1\r\nHost: test\r\n\r\n", 405],
];
for (const pieces of ["whole", "byte by byte"]) {
  await check(`hostile frames end in their code, ${pieces}`, async () => {
    await Promise.all(frames.map(async ([name, bytes, code]) => {
      const client = await Client.open(server.address);
      await client.write(bytes, pieces);
      assert.equal(await client.verdict(), code, name);
      client.drop();
    }));
    return `${frames.length} of them`;
  });
  await check(`hostile requests end in their status, ${pieces}`, async () => {
    await Promise.all(heads.map(async ([name, text, status]) => {
      const client = await Client.connect(server.address);
      await client.write(Buffer.from(text, "latin1"), pieces);
      assert.match(String(await client.verdict()), new RegExp(`^HTTP/1.1 ${status} `), name);
      assert.equal(client.bytes().toString("latin1").match(/^HTTP\/1\.1 \d{3} /gm).length, 1, `${name}: one answer`);
      client.drop();
    }));
    return `${heads.length} of them`;
  });
}

await check("a HEAD gets the head of the page alone", async () => {
  const client = await Client.connect(server.address);
  client.socket.write("HEAD / HTTP/1.1\r\nHost: test\r\n\r\n");
  assert.equal(await client.verdict(), "HTTP/1.1 200 OK");
  assert.match(client.bytes().toString("latin1"), /Content-Length: \d{4,}[^]*\r\n\r\n$/);
  client.drop();
});

// What a client gets back, fragments joined, and how much of the output that took.
function joined(bytes) {
  const parts = [];
  for (let at = 0, last = false; !last;) {
    last = (bytes[at] & 0x80) !== 0;
    const short = bytes[at + 1];
    const [size, length] = short < 126 ? [2, short] : short === 126 ? [4, bytes.readUInt16BE(at + 2)] : [10, Number(bytes.readBigUInt64BE(at + 2))];
    parts.push(bytes.subarray(at + size, at + size + length));
    at += size + length;
  }
  return Buffer.concat(parts);
}
// A client that does not read before all is sent; what it then gets back.
async function sendThenRead(server, message) {
  const client = await Client.open(server.address);
  client.socket.pause();
  const sent = new Promise((resolve) => client.socket.write(frame(0x82, message), resolve));
  await within(sent, "the message to be taken");
  client.socket.resume();
  client.socket.write(CLOSE);
  await client.until(() => client.ended, "the end of the echo");
  client.drop();
  return joined(client.bytes());
}

await check("64 MiB come back to clients that send all of it before they read", async () => {
  const before = await memory(server);
  const message = Buffer.from(Uint32Array.from({ length: 16 << 20 }, (_, i) => i * 2654435761).buffer);
  let most = before;
  const look = setInterval(async () => { most = Math.max(most, await memory(server)); }, 20);
  try {
    const echoes = await Promise.all([1, 2].map(() => sendThenRead(server, message)));
    for (const echo of echoes) assert.ok(echo.equals(message));
  } finally {
    clearInterval(look);
  }
  if (before === undefined) return "";
  assert.ok(most - before < 2 * 67 + 20, `grew by ${most - before} MiB`);
  return `at most ${(most - before).toFixed(1)} MiB for 2`;
});

await check("a client that never reads is read to the end of its message and no further", async () => {
  const before = await memory(server);
  const client = await Client.open(server.address);
  client.socket.pause();
  const sent = new Promise((resolve) => client.socket.write(frame(0x82, Buffer.alloc(16 << 20)), resolve));
  await within(sent, "the message to be taken");
  const next = frame(0x82, Buffer.alloc(64 << 20));
  const from = server.lines.length;
  let taken = false;
  client.socket.write(next, (error) => { taken = !error; });
  await server.logged(/dropped: does not read/, from);
  assert.ok(!taken, "a second message was taken");
  client.drop();
  const grown = (await memory(server)) - before;
  if (before !== undefined) assert.ok(grown < 40, `grew by ${grown} MiB`);
});

await check("what is held for clients that do not read has a limit, and they lose nothing that read later", async () => {
  const HOLD = 32;
  const careful = await Server.start(executable, ["127.0.0.1:0", "--hold", String(HOLD)]);
  try {
    const before = await memory(careful);
    const message = frame(0x82, Buffer.alloc(16 << 20));
    const greedy = await Promise.all(Array.from({ length: 12 }, async () => {
      const client = await Client.open(careful.address);
      client.socket.pause();
      client.socket.write(message);
      return client;
    }));
    const beside = await Client.open(careful.address);
    for (let i = 0; i < 100; i++) {
      beside.socket.write(frame(0x81, `number ${i}`));
      assert.equal((await beside.message()).toString(), `number ${i}`);
    }
    const grown = (await memory(careful)) - before;
    // One step of growth beyond the limit, and what each has anyway.
    if (before !== undefined) assert.ok(grown < HOLD + 8 + 20, `grew by ${grown} MiB`);
    for (const client of greedy.splice(6)) client.drop();
    for (const client of greedy) client.socket.resume();
    await Promise.all(greedy.map(async (client) => {
      client.socket.write(CLOSE);
      await client.until(() => client.ended, "the end of the echo");
      assert.equal(joined(client.bytes()).length, 16 << 20);
      client.drop();
    }));
    // There is room again for those who send before they read.
    assert.equal((await sendThenRead(careful, Buffer.alloc(20 << 20))).length, 20 << 20);
    beside.drop();
    return before === undefined ? "" : `${grown.toFixed(1)} MiB for 12 of 16 MiB`;
  } finally {
    await careful.kill();
  }
});

await check("64 MiB of zeros in 64 KiB come back, 256 MiB end in 1009, and neither is ever held", async () => {
  const before = await memory(server);
  const largest = deflated(Buffer.alloc(64 << 20));
  const bomb = deflated(Buffer.alloc(256 << 20));
  await Promise.all([[bomb], [largest, bomb], [largest, largest]].map(async (messages) => {
    const client = await Client.open(server.address, "/", OFFER);
    for (const message of messages) client.socket.write(frame(0xc2, message));
    client.socket.write(CLOSE);
    assert.equal(await client.verdict(), messages.includes(bomb) ? 1009 : 1000);
    client.drop();
  }));
  const grown = (await memory(server)) - before;
  if (before !== undefined) assert.ok(grown < 10, `grew by ${grown} MiB`);
});

await check("what does not inflate, or not to text, ends in 1007", async () => {
  const hello = Buffer.from("f248cdc9c90700", "hex"); // RFC 7692 section 7.2.3.1
  const cases = [
    ["cut short", 0xc1, hello.subarray(0, 4)], ["a block of no known type", 0xc2, Buffer.from([0x07])],
    ["a distance in front of the message", 0xc2, Buffer.from("f200110000", "hex")], ["not UTF-8", 0xc1, deflated(Buffer.from([0xff]))],
  ];
  for (const [name, first, payload] of cases) {
    const client = await Client.open(server.address, "/", OFFER);
    client.socket.write(frame(0xc1, hello));
    assert.equal((await client.message()).toString(), "Hello");
    client.socket.write(frame(first, payload));
    assert.equal(await client.verdict(), 1007, name);
    client.drop();
  }
});

await check("200,000 pings that nobody reads the answers of cost little", async () => {
  const before = await memory(server);
  const client = await Client.open(server.address);
  client.socket.pause();
  const many = Buffer.concat(Array.from({ length: 1000 }, () => frame(0x89, "p".repeat(125))));
  for (let i = 0; i < 200; i++) client.socket.write(many);
  const from = exchanged;
  await witness.until(() => exchanged >= from + 300, "the witness to go on");
  const grown = (await memory(server)) - before;
  client.drop();
  if (before !== undefined) assert.ok(grown < 10, `grew by ${grown} MiB`);
});

await check("a message of 100,000 empty fragments passes, of a million is refused", async () => {
  const empty = Buffer.concat(Array.from({ length: 10_000 }, () => frame(0x00)));
  const patient = await Client.open(server.address);
  patient.socket.write(frame(0x02));
  for (let i = 0; i < 10; i++) patient.socket.write(empty);
  patient.socket.write(frame(0x80, "end"));
  assert.equal((await patient.message()).toString(), "end");
  patient.drop();
  const client = await Client.open(server.address);
  client.socket.write(frame(0x02));
  for (let i = 0; i < 100; i++) client.socket.write(empty);
  assert.equal(await client.verdict(), 1008);
  client.drop();
});

await check("a chat member that does not read is let go, and the others miss nothing", async () => {
  const say = (message) => frame(0x81, JSON.stringify(message));
  const [reader, deaf] = [await Client.open(server.address, "/chat"), await Client.open(server.address, "/chat")];
  reader.socket.write(say({ type: "name", name: "reader" }));
  await reader.message();
  deaf.socket.pause();
  deaf.socket.write(say({ type: "name", name: "deaf" }));
  const from = server.lines.length;
  const isLetGo = () => server.lines.slice(from).some((line) => line.includes("closing with 1013"));
  // One talker after the other, as each may say so much, until what the operating system keeps for the deaf one is full.
  const news = async (type) => {
    for (;;) {
      const message = JSON.parse(await reader.message());
      if (message.type === type) return message;
    }
  };
  let rounds = 0;
  for (; rounds < 60 && !isLetGo(); rounds++) {
    const talker = await Client.open(server.address, "/chat");
    talker.socket.write(say({ type: "name", name: `talker ${rounds}` }));
    for (let i = 0; i < 190; i++) talker.socket.write(say({ type: "say", text: `${i}: ${"\u{1f642}".repeat(900)}` }));
    for (let i = 0; i < 190; i++) assert.match((await news("say")).text, new RegExp(`^${i}: `));
    talker.drop();
  }
  assert.ok(isLetGo(), "the deaf member is still there");
  deaf.drop();
  reader.drop();
  return `after ${(rounds * 190 * 3.6 / 1024).toFixed(0)} MiB`;
});

await check("half a request is given up on, and a silent end is noticed", async () => {
  const slow = await Client.connect(server.address);
  slow.socket.write("GET / HTTP/1.1\r\nHost: te");
  const half = await Client.open(server.address);
  half.socket.end();
  await half.until(() => half.ended, "the server to end its side");
  await slow.until(() => slow.ended, "the server to give up");
  slow.drop();
  half.drop();
});

await check("without file descriptors for more, clients wait until others leave", async () => {
  const poor = await Server.start("bash", ["-c", 'ulimit -n 40; exec "$0" "$@"', executable, "127.0.0.1:0"]);
  try {
    const early = await Client.open(poor.address);
    const crowd = await Promise.all(Array.from({ length: 60 }, () => Client.connect(poor.address)));
    const late = await Client.connect(poor.address);
    late.socket.write(head());
    early.socket.write(frame(0x81, "still here"));
    assert.equal((await early.message()).toString(), "still here");
    for (const client of crowd) client.drop();
    await late.until(() => late.bytes().includes("101 Switching"), "the late client's turn");
    early.drop();
    late.drop();
  } finally {
    await poor.kill();
  }
});

await check("the client beside all this missed nothing", async () => {
  watching = false;
  await within(watched, "the last number");
  witness.drop();
  return `${exchanged} messages, the server has ${await mebibytes(server)} MiB now`;
});

await server.kill();
