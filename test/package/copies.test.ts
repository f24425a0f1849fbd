import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { sharedFolder } from "../helpers/folder.js";
import { installed, pack } from "../helpers/packed.js";
import { run } from "../helpers/run.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const folder = sharedFolder();

beforeAll(async () => {
  const { tarball } = await pack(folder);
  await installed(folder, tarball);
}, 600_000);

/** Runs a body in which `agents` and `theirs` are the same entities through two copies of the package. */
async function twoCopies(body: string): Promise<unknown> {
  const text = `import { createRequire } from "node:module";
    import * as own from "latchkey";
    const copy = createRequire(import.meta.url)("./node_modules/latchkey/dist/cjs/index.cjs");
    const { VALKEY_URL: url, NAMESPACE: namespace } = process.env;
    const machine = { version: 2, lease: "1h" };
    const [one, other] = [await own.connect({ url, namespace }), await copy.connect({ url, namespace })];
    const [agents, theirs] = [await one.machine(own.agent(machine)), await other.machine(copy.agent(machine))];
    await agents.create("a1", {});
    await agents.transition("a1", "running");
    const hold = await agents.hold("a1", { version: 2 });
    const result = await (async () => {${body}})();
    await hold.close();
    await one.close();
    await other.close();
    console.log(JSON.stringify(result));`;
  await writeFile(join(folder, "copies.mjs"), text);
  const env = { ...process.env, VALKEY_URL: (await useValkey()).url, NAMESPACE: freshNamespace() };
  return JSON.parse(await run(process.execPath, ["copies.mjs"], { cwd: folder, env }));
}

describe("a hold whose callback uses another copy of the package", () => {
  test("learns from a rejection that it has lost the entity", async () => {
    const body = `
      await theirs.transition("a1", "killed");
      const error = await hold.change(() => theirs.transition("a1", "completed")).catch((thrown) => thrown);
      return { code: error.code, isOwn: error instanceof own.LatchkeyError, isLost: hold.signal.aborted };`;
    expect(await twoCopies(body)).toEqual({ code: "ILLEGAL", isOwn: false, isLost: true });
  });

  test("counts a change that was applied but is not durable as its own", async () => {
    const body = `
      const durability = { replicas: 1, timeoutMs: 1 };
      const change = (ifVersion) => theirs.patch("a1", { set: { n: 1 }, ifVersion, durability });
      const error = await hold.change(change).catch((thrown) => thrown);
      return { code: error.code, version: hold.version, isLost: hold.signal.aborted };`;
    expect(await twoCopies(body)).toEqual({ code: "NOTDURABLE", version: 3, isLost: false });
  });
});
