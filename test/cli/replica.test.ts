import { beforeAll, expect, test } from "vitest";
import { agent, connect } from "../../src/index.js";
import { built, root } from "../helpers/built.js";
import { replicated } from "../helpers/replica.js";
import { tryRun } from "../helpers/run.js";

beforeAll(built);

const READS: [words: string, command: string][] = [
  ["get a1 -o json", "hgetall"],
  ["history a1 -o json", "lrange"],
  ["list -o json", "zrangebyscore"],
  ["list --limit 1 -o json", "zrangebyscore"],
  ["count -o json", "zcount"],
];

test("--reads replica reads entities from a replica, with the same result", async () => {
  const { primary, admin, replica } = await replicated();
  await using latchkey = await connect({ url: primary.url });
  await (await latchkey.machine(agent())).create("a1", {}, { durability: { replicas: 1 } });
  const env = { PATH: process.env.PATH, LATCHKEY_URL: primary.url };
  const run = (line: string) =>
    tryRun(process.execPath, ["bin/latchkey.js", ...line.split(" ")], { cwd: root, env });
  for (const [line, command] of READS) {
    const expected = await run(line);
    expect(expected.exit).toBe(0);
    await admin.config("RESETSTAT");
    await replica.admin.config("RESETSTAT");
    expect(await run(`${line} --reads replica`)).toEqual({
      ...expected,
      stderr: expected.stderr.replace("--limit 1", "--limit 1 --reads replica"),
    });
    expect(await replica.admin.info("commandstats")).toContain(`cmdstat_${command}:`);
    expect(await admin.info("commandstats")).not.toContain(`cmdstat_${command}:`);
  }
  expect(await run("count --reads nobody")).toMatchObject({ exit: 2, stdout: "" });
});
