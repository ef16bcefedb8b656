// Talks to an echo server from a page in Chromium: `node chromium.mjs ECHO [ARGUMENT]...`, see
// `chromium`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(path.join(process.env.MODULES, "package.json"));
const { chromium } = require("playwright-core");

// Runs in the page. Sends all messages at once, compares their echoes, and closes.
function talk(uri) {
  const sizes = [0, 1, 125, 126, 65535, 65536, 1 << 20];
  const texts = sizes.map((size) => "é".repeat(size / 2) + "x".repeat(size % 2));
  const blobs = sizes.map((size) => Uint8Array.from({ length: size }, (_, i) => i * 31));
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(uri);
    socket.binaryType = "arraybuffer";
    const sent = [...texts, ...blobs];
    let received = 0;
    socket.onopen = () => sent.forEach((message) => socket.send(message));
    socket.onmessage = ({ data }) => {
      const wanted = sent[received];
      const same = typeof wanted === "string" ? data === wanted
        : typeof data !== "string" && data.byteLength === wanted.length &&
          new Uint8Array(data).every((byte, i) => byte === wanted[i]);
      if (!same) reject(new Error(`message ${received} came back changed`));
      received += 1;
      if (received === sent.length) socket.close(4000, "done");
    };
    socket.onerror = () => reject(new Error("the socket failed"));
    socket.onclose = ({ code, wasClean }) =>
      resolve({ received, code, wasClean, extensions: socket.extensions });
  });
}

// A failure waits so long, and nothing else does.
const patience = setTimeout(() => {
  console.error("FAIL: no end after 120 s");
  process.exit(1);
}, 120_000);
const stdio = ["ignore", "pipe", "inherit"];
const server = spawn(process.argv[2], process.argv.slice(3), { stdio });
process.on("exit", () => server.kill("SIGKILL"));
const [line] = await once(createInterface({ input: server.stdout }), "line");
const uri = `ws://${line.trim().replace(/^ws:\/\/|\/$/g, "")}/`;
// Chromium refuses a socket from a page without an origin of its own.
const page = createServer((_, response) => response.end("<!doctype html>")).listen(0, "127.0.0.1");
await once(page, "listening");
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu"],
});
try {
  const tab = await browser.newPage();
  await tab.goto(`http://127.0.0.1:${page.address().port}/`);
  const result = await tab.evaluate(talk, uri);
  const want = { received: 14, code: 4000, wasClean: true };
  const good = Object.entries(want).every(([key, value]) => result[key] === value);
  console.log(`${good ? "ok" : "FAIL"}  Chromium ${browser.version()}: ${JSON.stringify(result)}`);
  process.exitCode = good ? 0 : 1;
} finally {
  await browser.close();
  page.close();
  clearTimeout(patience);
  server.kill("SIGKILL");
}
