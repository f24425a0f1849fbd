import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { freshFolder } from "../helpers/folder.js";
import { tryRun } from "../helpers/run.js";

const SCRIPT = fileURLToPath(new URL("../../scripts/test-servers.mjs", import.meta.url));

test.each([
  ["a server to test on", ["valkey-8.0", "valkey-1.0"], "valkey-1.0"],
  ["a program to print", ["--program", "redis-9.9"], "redis-9.9"],
  ["a program without a name", ["--program"], ""],
])("an unknown name as %s is rejected with the known ones, before anything runs", async (_, args, name) => {
  const cache = await freshFolder();
  const ended = await tryRun(process.execPath, [SCRIPT, ...args], {
    cwd: cache,
    env: { ...process.env, XDG_CACHE_HOME: cache },
  });
  expect(ended).toEqual({
    exit: 2,
    stdout: "",
    stderr: `test:servers: Unknown server "${name}". Choose from: valkey-8.0, valkey-8.1, valkey-9.1, redis-7.0.\n`,
  });
});
