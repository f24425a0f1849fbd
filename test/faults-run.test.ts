import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readHistory } from "./faults/history.js";
import { faults } from "./faults/registry.js";
import { schedule } from "./faults/run/schedule.js";
import { root } from "./helpers/built.js";
import { freshFolder } from "./helpers/folder.js";

/** Runs the fault runner as a user does. */
function runFaults(...words: string[]): Promise<{ exit: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const program = [join(root, "scripts/faults.mjs"), ...words];
    execFile(process.execPath, program, { cwd: root, maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
      resolve({
        exit: typeof error?.code === "number" ? error.code : error === null ? 0 : 1,
        stdout,
        stderr,
      });
    });
  });
}

describe("the schedule", () => {
  const own = faults.filter(({ topologies }) => topologies.includes("standalone"));

  it("has every fault once before it has any twice, in an order of its seed", () => {
    const made = schedule(own, 2 * own.length + 3, 7);
    expect(new Set(made.slice(0, own.length))).toEqual(new Set(own));
    expect(new Set(made.slice(own.length, 2 * own.length))).toEqual(new Set(own));
    expect(made).toHaveLength(2 * own.length + 3);
    expect(schedule(own, own.length, 7)).toEqual(made.slice(0, own.length));
    expect(schedule(own, own.length, 8)).not.toEqual(made.slice(0, own.length));
  });

  it("knows each fault by a name of its own", () => {
    expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length);
    for (const { name } of faults) expect(name).toMatch(/^F\d+ \S/);
  });
});

describe("npm run faults", () => {
  it("injects what it is asked to, checks what happened, and tells how to do it again", async () => {
    const history = join(await freshFolder(), "history.jsonl");
    const words = ["--ops", "800", "--seed", "5", "--only", "F1,F3", "--history", history];
    const { exit, stdout, stderr } = await runFaults(...words);
    expect({ exit, stdout, stderr }).toMatchObject({ exit: 0 });
    expect(stdout).toMatch(/F1 reply dropped after execution +1/);
    expect(stdout).toMatch(/F3 client killed +1/);
    expect(stdout).toMatch(/^witness +no violation/m);
    expect(stdout).toMatch(/^linearizable +no violation/m);
    expect(stdout).toMatch(/^fsck +clean$/m);
    expect(stdout).toMatch(/^again +npm run faults -- .*--seed 5/m);
    const kinds = new Set<string>();
    for await (const { kind } of readHistory(history)) kinds.add(kind);
    expect([...kinds]).toEqual(
      expect.arrayContaining(["run", "call", "return", "fault-begin", "event", "final-event", "end"]),
    );
  });

  it("refuses what it can't do, with exit status 2", async () => {
    const refused = async (...words: string[]): Promise<string> => {
      const { exit, stderr } = await runFaults(...words);
      expect(exit).toBe(2);
      return stderr;
    };
    expect(await refused("--only", "no such fault")).toMatch(
      /no fault of standalone is called no such fault/,
    );
    expect(await refused("--only", "F2", "--faults", "1")).toMatch(/too few/);
    expect(await refused("--ops", "many")).toMatch(/whole number/i);
  });
});
