// Drives the page of the serve example in headless Chromium, as a person would, and looks at what the server logs.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { check } from "./checks.mjs";
import { PATIENCE, Server } from "./server.mjs";

const { chromium } = createRequire(path.join(process.env.MODULES, "package.json"))("playwright-core");
const executable = process.argv[2];
const pictures = process.env.SCREENSHOTS;

const KNOWN = ["--subprotocol", "first.example", "--subprotocol", "second.example"];
let server = await Server.start(executable, ["127.0.0.1:0", ...KNOWN]);
const context = await chromium.launchPersistentContext(await mkdtemp(path.join(tmpdir(), "profile-")), {
  executablePath: process.env.CHROMIUM,
  headless: true,
  viewport: { width: 1280, height: 860 },
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});
context.setDefaultTimeout(PATIENCE);

const complaints = [];
async function open(name) {
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(`${name}: ${error.message}`));
  await page.goto(server.url);
  for (const panel of ["echo", "chat", "login"]) await connected(page, panel);
  return page;
}
const connected = (page, panel) => page.locator(`#${panel}-state[data-state=open]`).waitFor();
const shows = (page, selector, text) => page.locator(selector).filter({ hasText: text }).first().waitFor();

// A connection made by hand inside the page, for what its buttons cannot do. Resolves with how it ended and what came.
const byHand = (page, where, protocols, messages) =>
  page.evaluate(([where, protocols, messages]) => new Promise((resolve) => {
    const socket = new WebSocket(location.origin.replace("http", "ws") + where, protocols);
    const came = [];
    socket.onopen = () => { for (const message of messages) socket.send(typeof message === "number" ? new Uint8Array(message) : message); };
    socket.onmessage = ({ data }) => came.push(data);
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean, came, protocol: socket.protocol });
  }), [where, protocols, messages]);

const one = await open("one");
const two = await open("two");

await check("text comes back as text", async () => {
  await one.fill("#echo-text", "Grüße, 世界 👋 <b>not bold</b>");
  await one.click("#echo-send");
  await shows(one, "#echo-log .got .what", "Grüße, 世界 👋 <b>not bold</b>");
  assert.equal(await one.locator("#echo-log b").count(), 0);
  assert.match(await one.textContent("#echo-rtt"), /^[\d.]+ m?s$/);
});

await check("1 MiB of binary comes back the same", async () => {
  await one.fill("#echo-kib", "1024");
  await one.click("#echo-send-binary");
  await shows(one, "#echo-log .got .what", "1 MiB of binary");
});

await check("an empty message and one of 64 MiB come back", async () => {
  await one.fill("#echo-kib", "0");
  await one.click("#echo-send-binary");
  await shows(one, "#echo-log .got .what", "0 B of binary");
  await one.fill("#echo-kib", "65536");
  await one.click("#echo-send-binary");
  await shows(one, "#echo-log .got .what", "64 MiB of binary");
});

await check("1000 messages come back in order", async () => {
  await one.click("#echo-burst");
  await shows(one, "#echo-log .got .what", "1000 messages, all in order");
});

// What the page says of compression, once that is in its numbers what was sent last.
const saving = async (page) => {
  const shown = page.locator("#echo-saving").filter({ hasText: /^saves \d+ %$/ });
  await shown.waitFor();
  return Number(/\d+/.exec(await shown.textContent())[0]);
};

await check("compression is on, and the page shows what it saves", async () => {
  const page = await open("compressing");
  assert.equal(await page.textContent("#echo-extensions"), "on");
  await shows(page, "#echo-wire", "nothing yet");
  await page.fill("#echo-kib", "1024");
  await page.click("#echo-send-sample");
  await shows(page, "#echo-log .got .what", "(1,048,576 characters)");
  await shows(page, "#echo-wire", / for 2 MiB$/);
  const saved = await saving(page);
  assert.ok(saved >= 60, `saves ${saved} %`);
  await page.fill("#echo-text", "short");
  await page.click("#echo-send");
  await shows(page, "#echo-log .got .what", /^short$/);
  await page.close();
  return `${saved} % of sample text`;
});

await check("a subprotocol that both know is agreed", async () => {
  await one.click("#echo-details summary");
  await one.fill("#echo-protocols", "unknown.example, second.example, first.example");
  await one.click("#echo-connect");
  await shows(one, "#echo-subprotocol", "second.example");
  await connected(one, "echo");
});

await check("a chat message reaches the other page, as text", async () => {
  await one.fill("#chat-name", "Ada");
  await one.click("#chat-rename");
  await shows(two, "#chat-log .note", "is now Ada");
  await one.fill("#chat-text", "Hello <img src=x onerror=alert(1)>");
  await one.press("#chat-text", "Enter");
  await shows(two, "#chat-log li", "Hello <img src=x onerror=alert(1)>");
  await shows(one, "#chat-log li.own", "Hello <img");
  assert.equal(await two.locator("#chat-log img").count(), 0);
  await two.fill("#chat-text", "Hello back, Ada");
  await two.press("#chat-text", "Enter");
  await shows(one, "#chat-log li:not(.own)", "Hello back, Ada");
});

await check("the chat tells who comes and goes, and what was said before", async () => {
  const three = await open("three");
  await shows(three, "#chat-log li", "Hello back, Ada");
  await shows(one, "#chat-online", "3 are here");
  await three.close();
  await shows(one, "#chat-online", "2 are here");
});

await check("the log-in is pushed to the page that waits", async () => {
  await one.locator("#login-code").evaluate((image) => image.decode());
  const link = await one.getAttribute("#login-link", "href");
  for (const look of [1, 2]) assert.equal((await fetch(link, { method: "HEAD" })).status, 200, `look ${look}`);
  assert.equal(await one.isVisible("#login-done"), false, "looking at a link does not log in");
  const phone = await context.newPage();
  await phone.goto(link);
  await shows(one, "#login-name", /^Guest \d{4}$/);
  assert.equal(await phone.textContent("#name"), await one.textContent("#login-name"));
  assert.equal(await one.isVisible("#login-code"), false);
  assert.equal(await two.isVisible("#login-done"), false);
  assert.equal((await phone.goto(link)).status(), 404, "the link works once");
  assert.equal((await fetch(link, { method: "HEAD" })).status, 404);
  await one.click("#login-logout");
  await shows(one, "#login-step", "Scan this code");
  const next = await one.getAttribute("#login-link", "href");
  assert.notEqual(next, link);
  await phone.goto(`${next}?name=${encodeURIComponent("Grace <b>H</b> & co")}`);
  await shows(one, "#login-name", "Grace <b>H</b> & co");
  assert.equal(await phone.textContent("#name"), "Grace <b>H</b> & co");
  await phone.close();
  await one.click("#login-logout");
  await shows(one, "#login-step", "Scan this code");
});

await check("a close code and its reason arrive at the server", async () => {
  const from = server.lines.length;
  await one.fill("#echo-code", "4321");
  await one.fill("#echo-reason", "enough, “thanks”");
  await one.click("#echo-disconnect");
  await shows(one, "#echo-close", "Closed with 4321");
  await server.logged(/closed 4321 "enough, “thanks”"/, from);
  assert.equal(await one.getAttribute("#echo-state", "data-state"), "closed");
  await one.fill("#echo-code", "1001");
  await one.click("#echo-connect");
  await connected(one, "echo");
  await one.click("#echo-disconnect");
  await one.locator("#echo-problem:not([hidden])").waitFor();
});

await check("a close code and its reason arrive at the page", async () => {
  const from = server.lines.length;
  const end = await byHand(one, "/chat", [], ["not a chat message"]);
  assert.equal(end.code, 1008);
  assert.notEqual(end.reason, "");
  assert.equal(end.wasClean, true);
  await server.logged(new RegExp(`closing with 1008 "${end.reason}"`), from);
  await server.logged(/closed 1008/, from);
});

await check("a message above 64 MiB ends in 1009", async () => {
  const from = server.lines.length;
  const end = await byHand(one, "/", [], [64 * 1024 * 1024 + 1]);
  assert.equal(end.code, 1009);
  await server.logged(/closed 1009/, from);
});

await check("a page of another origin is kept out of chat and log-in, and may use the echo", async () => {
  const foreign = createServer((_, response) => response.setHeader("Content-Type", "text/html").end("<!doctype html>"));
  foreign.listen(0, "127.0.0.1");
  await once(foreign, "listening");
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${foreign.address().port}/`);
  const ends = await page.evaluate((address) => Promise.all(["/", "/chat", "/login"].map((where) => new Promise((resolve) => {
    const socket = new WebSocket(`ws://${address}${where}`);
    socket.onopen = () => resolve("open");
    socket.onclose = () => resolve("refused");
  }))), server.address);
  assert.deepEqual(ends, ["open", "refused", "refused"]);
  await page.close();
  foreign.close();
});

await check("pictures at 390 and 1280 pixels, light and dark, without sideways scrolling", async () => {
  await two.fill("#chat-name", "Lin");
  await two.click("#chat-rename");
  await shows(one, "#chat-log .note", "is now Lin");
  await one.fill("#echo-kib", "64");
  await one.click("#echo-send-sample");
  for (const text of ["Short messages", "and a longer one, to see how the lines break in a log that is narrow", "last"]) {
    await one.fill("#echo-text", text);
    await one.click("#echo-send");
    await shows(one, "#echo-log .got .what", text);
  }
  await one.evaluate(() => { document.querySelector("#echo-details").open = false; });
  for (const scheme of ["light", "dark"]) {
    await one.emulateMedia({ colorScheme: scheme });
    for (const [width, height] of [[390, 844], [1280, 860], [820, 1000]]) {
      await one.setViewportSize({ width, height });
      await one.screenshot({ path: path.join(pictures, `${width}-${scheme}.png`), fullPage: true });
      const over = await one.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${over} pixels too wide at ${width}`);
    }
  }
  await one.setViewportSize({ width: 1280, height: 860 });
  await one.emulateMedia({ colorScheme: "light" });
  const phone = await context.newPage();
  await phone.setViewportSize({ width: 390, height: 844 });
  await phone.goto(`${await one.getAttribute("#login-link", "href")}?name=Grace`);
  await shows(one, "#login-name", "Grace");
  await phone.screenshot({ path: path.join(pictures, "390-confirmed.png") });
  await phone.close();
  await one.screenshot({ path: path.join(pictures, "1280-logged-in.png"), fullPage: true });
});

await check("1006 when the server is gone, and the page says that it tries again", async () => {
  await server.kill();
  for (const panel of ["echo", "chat", "login"]) await shows(one, `#${panel}-close`, "1006");
  await shows(one, "#echo-next", "Next try in");
  await one.screenshot({ path: path.join(pictures, "1280-gone.png"), fullPage: true });
});

await check("every panel is back when the server is", async () => {
  server = await Server.start(executable, [server.address, ...KNOWN]);
  for (const page of [one, two]) {
    for (const panel of ["echo", "chat", "login"]) await connected(page, panel);
  }
  await one.fill("#echo-text", "here again");
  await one.click("#echo-send");
  await shows(one, "#echo-log .got .what", "here again");
  await shows(one, "#chat-online", "2 are here");
});

await check("without --subprotocol none is chosen, and the browser gives up on the offer", async () => {
  await server.kill();
  server = await Server.start(executable, ["127.0.0.1:0", "--context-takeover"]);
  const page = await open("four");
  const end = await byHand(page, "/", ["first.example"], []);
  assert.equal(end.code, 1006);
});

await check("with --context-takeover messages that repeat others cost next to nothing", async () => {
  const page = await open("five");
  const text = Array.from({ length: 40 }, (_, i) => (i * i * 7919).toString(36)).join(" ");
  for (let i = 1; i <= 20; i++) {
    await page.fill("#echo-text", `${i} ${text}`);
    await page.click("#echo-send");
    await shows(page, "#echo-log .got .what", new RegExp(`^${i} `));
  }
  await shows(page, "#echo-saving", /^saves [89]\d %$/);
});

await check("with --no-deflate compression is off, and all else the same", async () => {
  await server.kill();
  server = await Server.start(executable, ["127.0.0.1:0", "--no-deflate"]);
  const page = await open("six");
  assert.equal(await page.textContent("#echo-extensions"), "off");
  assert.equal(await page.isVisible("#echo-traffic"), false);
  await page.click("#echo-send-sample");
  await shows(page, "#echo-log .got .what", "(1,048,576 characters)");
});

await check("no script error in any page", async () => assert.deepEqual(complaints, []));

await context.close();
await server.kill();
