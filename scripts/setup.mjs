// Makes a fresh clone ready to run: packages, build, Valkey server. `npm start` and `npm test` call it first.
// It uses nothing but Node, since it runs before anything is installed, and is silent when all is done already.
//
//   node scripts/setup.mjs [--no-server] [--quiet]
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "./setup/build.mjs";
import { withLock } from "./setup/lock.mjs";
import { nodeVersionProblem } from "./setup/node-version.mjs";
import { packages } from "./setup/packages.mjs";
import { server } from "./setup/server.mjs";
import { SetUpError } from "./setup/set-up-error.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const flags = process.argv.slice(2);

async function setUp() {
  const unknown = flags.find((flag) => flag !== "--no-server" && flag !== "--quiet");
  if (unknown !== undefined) {
    throw new SetUpError(`Unknown argument ${unknown}. Known: --no-server, --quiet.`, 2);
  }
  const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const problem = nodeVersionProblem(engines.node, process.version);
  if (problem !== undefined) throw new SetUpError(problem);

  const say = flags.includes("--quiet") ? () => {} : (line) => console.error(`set-up: ${line}`);
  const steps = flags.includes("--no-server") ? [packages, build] : [packages, build, server];
  for (const step of steps) {
    if (!(await step.isPending(root))) continue;
    const onWait = (pid) => say(`waiting for another set-up (pid ${pid}, .latchkey/setup.lock)`);
    await withLock(join(root, ".latchkey/setup.lock"), onWait, async () => {
      if (!(await step.isPending(root))) return; // the other one did it
      say(step.announcement());
      await step.run(root, say);
    });
  }
}

/** Formats an error for the user: expected failures as their message, all others in full. */
function explain(error) {
  if (error instanceof SetUpError) return `set-up: ${error.message}`;
  if (error.code === "EACCES" || error.code === "EROFS") {
    return `set-up: ${error.path} cannot be written. Run this as the user that the folder belongs to.`;
  }
  return error;
}

setUp().catch((error) => {
  console.error(explain(error));
  process.exitCode = error.exitCode ?? 1;
});
