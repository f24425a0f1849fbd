import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { exitCodeOf } from "../../src/cli/exit-codes.js";
import { NoValkeyError } from "../../src/testing/index.js";
import { built, root } from "../helpers/built.js";
import { freshFolder } from "../helpers/folder.js";
import { type LongRun, startLatchkey } from "../helpers/long-run.js";
import { run } from "../helpers/run.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

beforeAll(built);

interface Dev extends LongRun {
  readonly url: string;
  /** The printed commands, as they stand there. */
  readonly commands: string[];
}

/** Starts `latchkey dev` and waits until it has said everything. */
async function startDev(words: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Dev> {
  const dev = await startLatchkey(["dev", ...words], env);
  const [url = ""] = (await dev.line(/^valkey:/)).split(" ");
  const commands = await Promise.all(
    [" create ", " transition ", " get "].map((verb) => dev.line(RegExp(verb))),
  );
  await dev.line(/^Ctrl-C/);
  return { ...dev, url, commands };
}

/** Types a line into a shell. */
const typed = (line: string) => run("/bin/sh", ["-c", line], { cwd: root });

async function stop(dev: LongRun): Promise<number | null> {
  dev.child.kill("SIGINT");
  return (await dev.ended).exit;
}

describe("dev", () => {
  test("keeps a server running on which the printed commands work as they stand", async () => {
    const dev = await startDev();
    const outputs: string[] = [];
    for (const command of dev.commands) outputs.push(await typed(command));
    expect(outputs[2]).toMatch(/running/);
    expect(await stop(dev)).toBe(130);
    const { stdout, stderr } = await dev.ended;
    expect(stdout).toContain("In memory: all data is lost on Ctrl-C.\n");
    expect(stderr).toBe("");
  });

  test.runIf(process.platform === "linux").each(["SIGINT", "SIGTERM"] as const)(
    "leaves nothing on %s",
    async (signal) => {
      const dev = await startDev();
      expect((await dev.remains()).join("\n")).toMatch(/(valkey|redis)-server/);
      dev.child.kill(signal);
      await dev.ended;
      await expect.poll(() => dev.remains()).toEqual([]);
      expect(await readdir(dev.tmp)).toEqual([]);
    },
  );

  test("keeps the data folder over a restart, and then suggests an unused id", async () => {
    const folder = join(await freshFolder(), "it's data");
    const first = await startDev(["--data", folder, "--append-only"]);
    for (const command of first.commands) await typed(command);
    await stop(first);
    const second = await startDev(["--data", folder]);
    expect(await typed(first.commands[2]?.replace(first.url, second.url) ?? "")).toMatch(/running/);
    for (const command of second.commands) await typed(command);
    expect(second.commands[2]).toContain(" get a2 ");
    expect(
      (await second.line(/^Data is kept in/)).startsWith(`Data is kept in ${folder} (append-only)`),
    ).toBe(true);
    await stop(second);
  });

  test("listens on the given port, and reports a port that is in use", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void holder.close());
    await once(holder, "listening");
    const address = holder.address();
    const port = typeof address === "object" && address !== null ? String(address.port) : "";
    const refused = await startLatchkey(["dev", "--port", port]);
    expect(await refused.ended).toEqual({
      exit: 7,
      stdout: "",
      stderr: `error: Port ${port} is in use by another program. Choose another port, or none for a free one.\n`,
    });
    holder.close();
    await once(holder, "close");
    const dev = await startDev(["--port", port]);
    expect(dev.url).toBe(`valkey://127.0.0.1:${port}`);
    await stop(dev);
  });

  test("starts nothing if the environment names a server, and names the variable", async () => {
    const { url } = await useValkey();
    const dev = await startLatchkey(["dev", "--namespace", freshNamespace()], { VALKEY_URL: url });
    const { exit, stdout, stderr } = await dev.ended;
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(stdout).toMatch(`$VALKEY_URL names a running server: ${url}. Nothing was started.\n`);
    const lines = stdout.split("\n").filter((line) => line.startsWith("  "));
    expect(lines).toHaveLength(4);
    let last = "";
    for (const line of lines) last = await typed(`export VALKEY_URL=${url}; ${line}`);
    expect(last).toMatch(/running/);
  });

  test("prefers --url to the environment, and never shows its password", async () => {
    const { url } = await useValkey();
    const words = ["dev", "--url", url.replace("//", "//default:hunter2@")];
    const dev = await startLatchkey(words, { LATCHKEY_URL: "valkey://127.0.0.1:1" });
    const { stdout, stderr } = await dev.ended;
    expect(stdout).toContain(`--url names a running server: ${url}.`);
    expect(stdout + stderr).not.toContain("hunter2");
  });

  test("starts a server if options require it, whatever the environment names", async () => {
    const dev = await startDev(["--data", await freshFolder()], { LATCHKEY_URL: "valkey://127.0.0.1:1" });
    expect(await typed(dev.commands[0] ?? "")).toMatch(/a1/);
    await stop(dev);
  });

  test("fails if the named server is unreachable", async () => {
    const dev = await startLatchkey(["dev"], { LATCHKEY_URL: "valkey://127.0.0.1:1" });
    const { exit, stderr } = await dev.ended;
    expect(exit).toBe(7);
    expect(stderr).toContain("valkey://127.0.0.1:1: connection refused");
  });

  test("fails when the server ends by itself", async () => {
    const dev = await startDev();
    const valkey = dev.url.replace("valkey://127.0.0.1:", "");
    await typed(`valkey-cli -p ${valkey} SHUTDOWN NOSAVE`);
    const { exit, stderr } = await dev.ended;
    expect({ exit, stderr }).toEqual({ exit: 1, stderr: "error: the server ended unexpectedly\n" });
  });

  test.each<[words: string[], text: string]>([
    [["--append-only"], "--append-only requires --data"],
    [["--url", "valkey://127.0.0.1:1", "--port", "7000"], "--url cannot be combined with --port"],
    [["--port", "65536"], "It must be a whole number from 1 to 65535"],
  ])("rejects %j as a usage error", async (words, text) => {
    const { exit, stdout, stderr } = await (await startLatchkey(["dev", ...words])).ended;
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toContain(text);
  });

  test("explains the failure of a program that is not a server", async () => {
    const dev = await startLatchkey(["dev", "--server-bin", "/bin/false"]);
    const { exit, stderr } = await dev.ended;
    expect(exit).toBe(7);
    expect(stderr).toContain('The server program option names "/bin/false", which cannot be used');
  });

  test("exits with 7 if there is no server to start", () => {
    expect(exitCodeOf(new NoValkeyError([]))).toBe(7);
  });
});
