import { summary } from "./checks.mjs";

await import("./page.mjs");
await import("./crowd.mjs");
process.exitCode = summary() ? 0 : 1;
