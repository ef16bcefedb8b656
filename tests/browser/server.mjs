// The serve example as a child process: its address from its first line, its log as something to wait for.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

export const PATIENCE = 120_000; // far above what anything takes on a busy machine; only a failure waits so long

export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// However this ends, no server is left behind.
const running = new Set();
process.on("exit", () => { for (const child of running) child.kill("SIGKILL"); });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

export class Server {
  static async start(executable, args) {
    const server = new Server();
    server.lines = [];
    server.waiting = new Set();
    server.child = spawn(executable, args, { stdio: ["ignore", "pipe", "pipe"] });
    running.add(server.child);
    server.exited = once(server.child, "exit").finally(() => running.delete(server.child));
    createInterface({ input: server.child.stderr }).on("line", (line) => {
      server.lines.push(line);
      for (const look of server.waiting) look();
    });
    const stdout = createInterface({ input: server.child.stdout });
    const [first] = await within(
      Promise.race([once(stdout, "line"), server.exited.then(() => Promise.reject(new Error("the server ended at once")))]),
      "the server's address",
    );
    const found = /http:\/\/\S+/.exec(first);
    if (!found) throw new Error(`no address in ${JSON.stringify(first)}`);
    server.url = found[0];
    return server;
  }

  get address() {
    return new URL(this.url).host;
  }

  // The first line of the log, from line `from` on, that fits.
  logged(pattern, from = 0) {
    return within(
      new Promise((resolve) => {
        const look = () => {
          const line = this.lines.slice(from).find((candidate) => pattern.test(candidate));
          if (line === undefined) return;
          this.waiting.delete(look);
          resolve(line);
        };
        this.waiting.add(look);
        look();
      }),
      `${pattern} in the server's log`,
    );
  }

  // Without a goodbye, as a crash would be.
  async kill() {
    this.child.kill("SIGKILL");
    await this.exited;
  }
}
