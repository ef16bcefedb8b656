// A server made with node's `ws`, for our client. Prints its port; ends when its input ends. The path says what it does.
import { createRequire } from "node:module";
import http from "node:http";
import path from "node:path";

const require = createRequire(path.join(process.argv[2], "package.json"));
const { WebSocketServer } = require("ws");

const handlers = {
  "/echo": (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })),
  "/binary": (socket) => socket.send(Buffer.from([0, 1, 2, 254, 255])),
  "/close": (socket) => socket.close(4001, "enough"),
  "/going": (socket) => socket.close(1001, "leaving"),
  "/drop": (socket) => socket.terminate(),
  "/fragments": (socket) => {
    for (const [part, fin] of [["Größe ", false], ["", false], ["漢字", true]]) {
      socket.send(part, { fin });
      socket.ping("between");
    }
    let pongs = 0;
    socket.on("pong", () => ++pongs === 3 && socket.close(1000, "three pongs"));
  },
};

const server = http.createServer((request, response) => response.writeHead(404).end("no page here"));
const upgrade = new WebSocketServer({
  noServer: true,
  perMessageDeflate: process.env.PEERS_DEFLATE === "1" ? { threshold: 0 } : false,
  handleProtocols: (offered) => (offered.has("second") ? "second" : false),
});
server.on("upgrade", (request, socket, head) => {
  const handler = handlers[request.url];
  if (!handler) {
    socket.end("HTTP/1.1 403 Forbidden\r\nX-Why: not here\r\nContent-Length: 7\r\nConnection: close\r\n\r\ngo away");
    return;
  }
  upgrade.handleUpgrade(request, socket, head, handler);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit(0));
