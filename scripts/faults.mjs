// The fault runner: `npm run faults -- --help`, or `npm run faults:failovers`. Builds what is missing, the package and the runner, and runs it.
import { spawn, spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);
const manifest = require.resolve("typescript/package.json");
const compiler = join(dirname(manifest), require(manifest).bin.tsc);

function step(...words) {
  const { status } = spawnSync(process.execPath, words, { cwd: root, stdio: ["ignore", 2, 2] });
  if (status !== 0) process.exit(1);
}

// A folder of this process: several runners may start at once, and each would load what another is writing.
const compiled = `.latchkey/faults-${process.pid}`;
process.on("exit", () => rmSync(join(root, compiled), { recursive: true, force: true }));
step("scripts/setup.mjs");
step(compiler, "-p", "faults/tsconfig.json", "--outDir", compiled);
const [first, ...others] = process.argv.slice(2);
const words = first === "failovers" ? ["failovers.js", ...others] : ["main.js", ...process.argv.slice(2)];
words.unshift("--enable-source-maps", `${compiled}/${words.shift()}`);
const runner = spawn(process.execPath, words, { cwd: root, stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => runner.kill(signal));
runner.once("exit", (code) => {
  process.exitCode = code ?? 1;
});
