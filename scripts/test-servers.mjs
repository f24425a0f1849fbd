// Runs the tests of `npm test` and `npm run test:outages` on several versions of the server: `npm run test:servers`. Words before the first path or
// option choose the servers; all others go to vitest: `npm run test:servers -- valkey-9.1 redis-7.0 test/lua`. Tests in
// test/newest run too. They need a newer server than Valkey 8, and are skipped on others.
// The servers come from packages of Debian, unpacked into a cache folder; nothing is installed.
//
//   node scripts/test-servers.mjs --program valkey-9.1   prints the path of this server's program
import { spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RELEASES } from "./servers/releases.mjs";
import { serverPrograms } from "./servers/server-programs.mjs";
import { SetUpError } from "./setup/set-up-error.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const PROJECTS = ["default", "outages", "newest"].flatMap((project) => ["--project", project]);
const say = (line) => console.error(`test:servers: ${line}`);

async function programOf(name) {
  return join(await serverPrograms(name, say), RELEASES[name].package);
}

async function runTests(name, words) {
  const program = await programOf(name);
  const path = `${join(program, "..")}${delimiter}${process.env.PATH}`;
  const args = [join(root, "node_modules/vitest/vitest.mjs"), "run", ...PROJECTS, ...words];
  const env = { ...process.env, PATH: path, LATCHKEY_VALKEY_BIN: program };
  const tests = spawn(process.execPath, args, { cwd: root, env, stdio: ["ignore", "inherit", "inherit"] });
  const [status] = await once(tests, "exit");
  return status === 0;
}

async function main(words) {
  if (words[0] === "--program") return console.log(await programOf(check(words[1] ?? "")));
  const count = words.findIndex((word) => !/^(valkey|redis)-\d/.test(word));
  const names = (count === -1 ? words : words.slice(0, count)).map(check);
  const results = [];
  for (const name of names.length > 0 ? names : Object.keys(RELEASES)) {
    say(`running the tests on ${name}`);
    results.push([name, await runTests(name, words.slice(names.length))]);
  }
  for (const [name, isWell] of results) say(`${name}: ${isWell ? "ok" : "FAILED"}`);
  if (results.some(([, isWell]) => !isWell)) process.exitCode = 1;
}

function check(name) {
  if (Object.hasOwn(RELEASES, name)) return name;
  throw new SetUpError(`Unknown server "${name}". Choose from: ${Object.keys(RELEASES).join(", ")}.`, 2);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error instanceof SetUpError ? `test:servers: ${error.message}` : error);
  process.exitCode = error.exitCode ?? 1;
});
