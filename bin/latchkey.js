#!/usr/bin/env node
// Written so that a Node too old for latchkey still reads it, and prints the reason. CommonJS starts faster.
const { existsSync } = require("node:fs");
const nodeModule = require("node:module");
const { join } = require("node:path");

const [major, minor] = process.versions.node.split(".").map(Number);
const entry = join(__dirname, "../dist/bundle/main.cjs");
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`error: latchkey needs Node 20.19 or newer, this is ${process.versions.node}`);
  process.exitCode = 1;
} else if (!existsSync(entry)) {
  console.error("error: latchkey is not built here; run: npm ci && npm run build");
  process.exitCode = 1;
} else {
  if (nodeModule.enableCompileCache !== undefined) nodeModule.enableCompileCache();
  require(entry).main(process.argv.slice(2));
}
