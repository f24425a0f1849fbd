// The tests that need Docker: `npm run test:containers`. Uses the running daemon. If there is none, it starts one for
// these tests, which needs dockerd and root. If it cannot, it prints SKIPPED and succeeds; in CI, it fails.
// Other arguments go to vitest.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { provideCompose } from "./containers/compose.mjs";
import { canStartDaemon, daemonAnswers, startDaemon } from "./containers/daemon.mjs";
import { provideImages } from "./containers/image.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const SIGNALS = ["SIGINT", "SIGTERM"];
const say = (line) => console.error(`test:containers: ${line}`);

function skip(why) {
  console.log(`SKIPPED: container tests: ${why}`);
  if (process.env.CI === "true") process.exitCode = 1;
}

/** Returns the environment of the tests, with images and Compose. */
function provide(env) {
  const own = { ...env, ...provideCompose(env, say) };
  return { ...own, ...provideImages(own, say) };
}

async function runTests(env) {
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const choice = ["--project", "containers", "--no-file-parallelism"];
  const args = [vitest, "run", ...choice, ...process.argv.slice(2)];
  const tests = spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "inherit", "inherit"] });
  // On Ctrl-C, the terminal also interrupts vitest. This process then still cleans up.
  const pass = (signal) => void tests.kill(signal);
  for (const signal of SIGNALS) process.on(signal, pass);
  const [status] = await once(tests, "exit");
  process.exitCode = status ?? 1;
}

async function main() {
  if (daemonAnswers()) return runTests(provide(process.env));
  if (!canStartDaemon()) return skip("no Docker daemon answers, and none can be started (dockerd and root)");
  say("no Docker daemon answers; starting one for these tests");
  let daemon;
  try {
    daemon = await startDaemon();
  } catch (error) {
    return skip(error.message);
  }
  try {
    await runTests(provide({ ...process.env, DOCKER_HOST: daemon.host }));
  } finally {
    await daemon.stop();
  }
}

main().catch((error) => {
  say(error.message);
  process.exitCode = 1;
});
