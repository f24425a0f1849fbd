#!/usr/bin/env node
// Written so that a Node too old for latchkey still reads it, and prints the reason.
import { existsSync } from "node:fs";
import * as module from "node:module";

const [major, minor] = process.versions.node.split(".").map(Number);
const entry = new URL("../dist/cli/main.js", import.meta.url);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`error: latchkey needs Node 20.19 or newer, this is ${process.versions.node}`);
  process.exitCode = 1;
} else if (!existsSync(entry)) {
  console.error("error: latchkey is not built here; run: npm ci && npm run build");
  process.exitCode = 1;
} else {
  module.enableCompileCache?.();
  const { main } = await import(entry.href);
  await main(process.argv.slice(2));
}
