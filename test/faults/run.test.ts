import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, symlink } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { describe, expect, it } from "vitest";
import { readHistory } from "../../faults/history/reader.js";
import { faults } from "../../faults/kinds/registry.js";
import { schedule } from "../../faults/run/injections.js";
import { root } from "../helpers/built.js";
import { freshFolder } from "../helpers/folder.js";

interface Ended {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

const PROGRAM = join(root, "scripts/faults.mjs");

/** Runs the fault runner as a user does. */
function runFaults(...words: string[]): Promise<Ended> {
  return runFaultsIn(process.env, ...words);
}

function runFaultsIn(env: NodeJS.ProcessEnv, ...words: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd: root, env, maxBuffer: 1 << 24 };
    execFile(process.execPath, [PROGRAM, ...words], options, (error, stdout, stderr) => {
      resolve({
        exit: typeof error?.code === "number" ? error.code : error === null ? 0 : 1,
        stdout,
        stderr,
      });
    });
  });
}

/** Makes a PATH with the required programs only: no compiler, no Python. */
async function barePath(): Promise<string> {
  const folder = await freshFolder();
  await symlink(process.execPath, join(folder, "node"));
  const folders = (process.env.PATH ?? "").split(delimiter);
  for (const name of ["valkey-server", "valkey-check-aof"]) {
    const program = folders.map((one) => join(one, name)).find((path) => existsSync(path));
    if (program !== undefined) await symlink(program, join(folder, name));
  }
  return folder;
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

  it("has a unique name for each fault", () => {
    expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length);
    for (const { name } of faults) expect(name).toMatch(/^F\d+ \S/);
  });
});

describe("npm run faults", () => {
  it("injects the chosen faults, checks what happened, and prints how to repeat the run", async () => {
    const history = join(await freshFolder(), "history.jsonl");
    const words = ["--ops", "800", "--seed", "5", "--only", "F1,F3", "--history", history];
    const { exit, stdout, stderr } = await runFaults(...words);
    expect({ exit, stdout, stderr }).toMatchObject({ exit: 0 });
    expect(stdout).toMatch(/F1 reply dropped after execution +1/);
    expect(stdout).toMatch(/F3 client killed +1/);
    expect(stdout).toMatch(/^witness +no violation/m);
    expect(stdout).toMatch(/^linearizable +no violation/m);
    expect(stdout).toMatch(/^fsck +clean$/m);
    expect(stdout).toMatch(/^repeat +npm run faults -- .*--seed 5/m);
    const kinds = new Set<string>();
    for await (const { kind } of readHistory(history)) kinds.add(kind);
    expect([...kinds]).toEqual(
      expect.arrayContaining(["run", "call", "return", "fault-begin", "event", "final-event", "end"]),
    );
  });

  it("rejects invalid usage with exit status 2", async () => {
    const usageError = async (...words: string[]): Promise<string> => {
      const { exit, stderr } = await runFaults(...words);
      expect(exit).toBe(2);
      return stderr;
    };
    expect(await usageError("--only", "no such fault")).toMatch(
      /standalone has no fault named no such fault/,
    );
    expect(await usageError("--only", "F2", "--faults", "1")).toMatch(/too few/);
    expect(await usageError("--ops", "many")).toMatch(/must be an integer/);
    expect(await usageError("--only", "F1,")).toMatch(/has an empty word/);
    const folder = await freshFolder();
    const nowhere = join(folder, "none", "x.jsonl");
    expect(await usageError("--history", nowhere)).toMatch(
      /^error: cannot write the history to \S+x\.jsonl: ENOENT/m,
    );
    expect(await usageError("--history", folder)).toMatch(/it exists and is not a file/);
    await mkdir(join(folder, "x.time.jsonl"));
    expect(await usageError("--history", join(folder, "x.jsonl"))).toMatch(/x\.time\.jsonl: it exists/);
  });

  it("shows one default of --seed", async () => {
    const { stdout } = await runFaults("--help");
    const [, seed = ""] = /(--seed[\s\S]*?)\n +--/.exec(stdout) ?? [];
    expect(seed.match(/default/g)).toHaveLength(1);
  });

  it("fails if faults are unavailable here, unless that is allowed", async () => {
    const history = join(await freshFolder(), "history.jsonl");
    const env = { ...process.env, PATH: await barePath() };
    const words = ["--ops", "400", "--seed", "3", "--only", "F16,F22", "--history", history];
    const strict = await runFaultsIn(env, ...words);
    expect(strict).toMatchObject({ exit: 1 });
    expect(strict.stdout).toMatch(/^ {2}F22 other .*: python3 is not installed$/m);
    expect(strict.stdout).toMatch(/^ {2}F16 clock jumps: .*Linux.*C compiler/m);
    expect(strict.stdout).toMatch(/^verdict +FAILED$/m);
    const lenient = await runFaultsIn(env, ...words, "--allow-unavailable");
    expect(lenient).toMatchObject({ exit: 0 });
    expect(lenient.stdout).toMatch(/^repeat .* --allow-unavailable$/m);
  });

  it.each(["SIGINT", "SIGTERM"] as const)(
    "ends without an error when its group receives %s",
    async (signal) => {
      const history = join(await freshFolder(), "history.jsonl");
      const child = spawn(process.execPath, [PROGRAM, "--only", "F1", "--history", history], {
        ...{ cwd: root, detached: true, stdio: ["ignore", "pipe", "pipe"] },
      });
      const ended = once(child, "exit");
      let text = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
      }
      await expect.poll(() => text, { timeout: 60_000 }).toMatch(/ calls, /);
      process.kill(-(child.pid ?? 0), signal);
      const [exit] = await ended;
      expect({ exit, text }).toMatchObject({ exit: 130 });
      const [progress, ...rest] = text.trimEnd().split("\n").slice(-2);
      expect(progress).toMatch(/ calls, /);
      expect(rest).toEqual([`interrupted by ${signal}: nothing was checked`]);
    },
  );
});
