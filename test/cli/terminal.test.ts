import { spawn } from "node:child_process";
import { once } from "node:events";
import { beforeAll, describe, expect, test } from "vitest";
import { built, root } from "../helpers/built.js";
import { agentCommandLine, type CommandLine } from "../helpers/command-line.js";
import { replacedAgents } from "../helpers/replaced-agents.js";

beforeAll(built);

const ESCAPE = "\u001b";

/** Runs `latchkey` on a terminal; gives what is written to it. */
async function onTerminal(line: CommandLine, words: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const command = `stty -opost; exec "$NODE" bin/latchkey.js ${words}`;
  const script = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
    cwd: root,
    env: { ...line.env, NODE: process.execPath, TERM: "xterm", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  script.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  await once(script, "close");
  return output;
}

describe.runIf(process.platform === "linux")("on a terminal", () => {
  test("fsck shows how far it is on one line, and takes that away", async () => {
    const line = await agentCommandLine();
    await line.agents.create("a1");
    const output = await onTerminal(line, "fsck");
    expect(output).toMatch(/checking agent: \d+ entities, \d+ events/);
    expect(output.slice(output.lastIndexOf(`${ESCAPE}[K`))).toBe(
      `${ESCAPE}[Kmachine/agent is clean (1 entity, 1 event, 1 partition)\n`,
    );
  });

  test("import shows how far it is on one line, and removes that line", async () => {
    const { service, pattern, ...line } = await replacedAgents();
    await service.registerSpawnedAgent("a1", "t1");
    const output = await onTerminal(line, `import --from-service '${pattern}' --dry-run`);
    const [start, ...lines] = output.split(`\r${ESCAPE}[K`);
    const verdict = lines.pop();
    expect([start, verdict]).toEqual(["", "machine/agent: 1 imported (1 key, dry run)\n"]);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines)
      expect(line).toMatch(/^machine\/agent: (?:nothing|1) imported \([01] keys?, dry run\)$/);
  });

  test("states are coloured, columns stay straight; NO_COLOR, TERM=dumb and --no-color take colours away", async () => {
    const line = await agentCommandLine();
    await line.agents.create("a1");
    await line.agents.transition("a1", "running");
    await line.agents.create("a2");
    const coloured = await onTerminal(line, "list");
    expect(coloured).toContain(`a1   ${ESCAPE}[32mrunning${ESCAPE}[0m    2`);
    expect(coloured).toContain(`a2   ${ESCAPE}[33mspawning${ESCAPE}[0m   1`);
    const plain = await Promise.all([
      onTerminal(line, "list", { NO_COLOR: "1" }),
      onTerminal(line, "list", { TERM: "dumb" }),
      onTerminal(line, "list --no-color"),
      onTerminal(line, "--no-color get a1"),
      onTerminal(line, "transition a1 spawning --no-color"),
    ]);
    for (const output of plain) expect(output).not.toContain(ESCAPE);
    expect(await onTerminal(line, "transition a1 spawning")).toContain(`${ESCAPE}[31merror:${ESCAPE}[0m`);
  });

  test("JSON escapes control characters, and its value stays the same", async () => {
    const line = await agentCommandLine();
    const note = "\u009b2J\u007f\u202e";
    await line.agents.create("a1", { note });
    const output = await onTerminal(line, "get a1 -o json");
    expect(output).toContain(String.raw`"note":"\u009b2J\u007f\u202e"`);
    expect(JSON.parse(output)).toEqual(await line.agents.get("a1"));
  });
});

test("output to a pipe or a file has no colours, whatever the environment", async () => {
  const { run, agents } = await agentCommandLine();
  await agents.create("a1");
  const { stdout } = await run(["list"], { TERM: "xterm-256color", COLORTERM: "truecolor" });
  expect(stdout).not.toContain(ESCAPE);
});
