import { readFile, writeFile } from "node:fs/promises";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { audit } from "../../faults/canary/audit.js";
import { Canary } from "../../faults/canary/canary.js";
import { Violation } from "../../faults/fault.js";
import { tailFile } from "../../faults/servers/append-only-file.js";
import { removeHoles } from "../../faults/servers/file-holes.js";
import { DataNode } from "../../faults/servers/node.js";
import { freePort } from "../../faults/servers/ports.js";
import { hasServerProgram } from "../../faults/servers/program.js";
import { freshFolder } from "../helpers/folder.js";

let server: DataNode;
let canary: Canary;
let prefix: string;

beforeEach(async () => {
  const settings = { appendonly: "yes", appendfsync: "always" };
  server = await DataNode.start({ name: "n", port: await freePort(), folder: await freshFolder(), settings });
  onTestFinished(() => server.close());
  canary = await Canary.start({ url: server.url, callers: 2 });
  await canary.awaitChanges(30);
  await canary.stop();
  prefix = `{${canary.namespace}:0}:agent:`;
});

const audited = () => audit(server.admin, canary, performance.now());

describe.skipIf(!hasServerProgram())("an audit of a canary", () => {
  test("finds every change if nothing happened", async () => {
    const { acknowledged, kept, lost, oldestLostMs } = await audited();
    expect({ acknowledged, lost, oldestLostMs }).toEqual({ acknowledged: kept, lost: 0, oldestLostMs: 0 });
    expect(kept).toBeGreaterThanOrEqual(30);
  });

  test("counts lost changes and reports their age", async () => {
    await server.admin.flushall();
    const { acknowledged, lost, oldestLostMs } = await audited();
    expect(lost).toBe(acknowledged);
    expect(oldestLostMs).toBeGreaterThan(0);
  });

  test.each([
    ["an entity without its hash", () => server.admin.del(`${prefix}id:c0-0`)],
    ["an entity without its index entry", () => server.admin.zrem(`${prefix}index`, "c0-0")],
    ["an entity with an incomplete log", () => server.admin.rpop(`${prefix}log:c0-0`)],
    [
      "an entity at another version than its last event",
      () => server.admin.hincrby(`${prefix}id:c0-0`, "version", 1),
    ],
    [
      "a missing event in between",
      async () => {
        const [, [entry = ""] = []] = await server.admin.xrange(`${prefix}events`, "-", "+", "COUNT", 2);
        await server.admin.xdel(`${prefix}events`, entry);
      },
    ],
    [
      "a change that was applied twice",
      async () => {
        const [[, fields] = ["", []]] = await server.admin.xrange(`${prefix}events`, "-", "+", "COUNT", 1);
        await server.admin.xadd(`${prefix}events`, "*", ...fields);
      },
    ],
  ])("reports %s as a violation", async (_, damage) => {
    await damage();
    await expect(audited()).rejects.toThrow(Violation);
  });

  test("reports a change as a violation if it was reported as not applied, or was too late", async () => {
    const [first, ...others] = canary.calls;
    if (first === undefined) throw new Error("The canary did nothing");
    const { namespace } = canary;
    const told = { ...first, outcome: "NOTEXECUTED" } as const;
    const late = { ...first, notAfter: 1 };
    for (const one of [told, late]) {
      const changed = { namespace, calls: [one, ...others] };
      await expect(audit(server.admin, changed, performance.now())).rejects.toThrow(Violation);
    }
  });
});

describe.skipIf(!hasServerProgram())("holes that a full disk leaves in a file", () => {
  async function damage(change: (bytes: Buffer) => readonly Buffer[]): Promise<void> {
    await server.kill9();
    const file = await tailFile(server.dataDir);
    await writeFile(file, Buffer.concat(change(await readFile(file))));
  }

  const EXEC = Buffer.from("*1\r\n$4\r\nEXEC\r\n");
  const hole = Buffer.alloc(1000);

  test("are removed between transactions without a loss", async () => {
    await damage((bytes) => {
      const at = bytes.indexOf(EXEC, bytes.length / 2) + EXEC.length;
      return [bytes.subarray(0, at), hole, bytes.subarray(at)];
    });
    expect(await removeHoles(server.dataDir)).toEqual({ holes: 1, isCutShort: false });
    await server.restart();
    expect(await audited()).toMatchObject({ lost: 0 });
  });

  test("end the file if they are within a transaction, and the rest is consistent", async () => {
    await damage((bytes) => {
      const at = bytes.indexOf(EXEC, bytes.length / 2) - 100;
      return [bytes.subarray(0, at), hole, bytes.subarray(at + 100)];
    });
    expect(await removeHoles(server.dataDir)).toEqual({ holes: 1, isCutShort: true });
    await server.restart();
    const { lost, kept, acknowledged } = await audited();
    expect(lost).toBeGreaterThan(0);
    expect(lost + kept).toBe(acknowledged);
  });

  test("are not confused with other damage of a file", async () => {
    await damage((bytes) => [
      bytes.subarray(0, bytes.length / 2),
      Buffer.from("x"),
      bytes.subarray(bytes.length / 2),
    ]);
    await expect(removeHoles(server.dataDir)).rejects.toThrow(Violation);
  });
});
