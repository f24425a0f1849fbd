import { spawn } from "node:child_process";
import { once } from "node:events";
import { stripVTControlCharacters } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { built, root } from "../helpers/built.js";

beforeAll(built);

const ESCAPE = "\u001b";
const HIDE_CURSOR = `${ESCAPE}[?25l`;
const SHOW_CURSOR = `${ESCAPE}[?25h`;
const UP = new RegExp(`${ESCAPE}\\[(\\d+)A\r`);

/** Runs a demo on a terminal of 80 columns; gives its exit code and all that was written to the terminal. */
async function onTerminal(options: { rows?: number; env?: NodeJS.ProcessEnv; interrupt?: boolean } = {}) {
  const { rows = 24, env = {}, interrupt = false } = options;
  const agents = interrupt ? 10_000 : 12;
  const line = `stty cols 80 rows ${rows}; exec "$NODE" bin/latchkey.js demo --agents ${agents}`;
  const script = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], {
    cwd: root,
    env: { ...process.env, NODE: process.execPath, TERM: "xterm", NO_COLOR: "", ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  let isTyped = false;
  script.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    if (!interrupt || isTyped || !output.includes(HIDE_CURSOR)) return;
    isTyped = true;
    script.stdin.write("\u0003");
  });
  const [exit] = await once(script, "close");
  return { exit, output };
}

describe.runIf(process.platform === "linux")("demo on a terminal", () => {
  test("redraws a table in place, within the screen, and gives the cursor back", async () => {
    const { exit, output } = await onTerminal();
    expect(exit).toBe(0);
    const [, drawn = "", more] = output.split(HIDE_CURSOR);
    expect(more).toBeUndefined();
    const [table = "", verdict] = drawn.split(SHOW_CURSOR);
    const heights = [...table.matchAll(new RegExp(UP, "g"))].map(([, lines]) => Number(lines));
    expect(new Set(heights)).toEqual(new Set([13]));
    expect(stripVTControlCharacters(table.split(UP).at(-1) ?? "")).toMatch(/completed +8 /);
    expect(verdict).toContain("All checks passed.");
    const lines = stripVTControlCharacters(output).split(/[\r\n]+/);
    expect(lines.filter((line) => line.length > 80)).toEqual([]);
  });

  test("writes colours, and none with NO_COLOR", async () => {
    const coloured = await onTerminal();
    const plain = await onTerminal({ env: { NO_COLOR: "1" } });
    expect(coloured.output).toContain(`${ESCAPE}[32m`);
    expect(plain.output.split(ESCAPE).filter((rest) => /^\[\d*m/.test(rest))).toEqual([]);
  });

  test("writes plain lines where the terminal is a dumb one", async () => {
    expect((await onTerminal({ env: { TERM: "dumb" } })).output).not.toContain(ESCAPE);
  });

  test("leaves out what a low screen has no room for", async () => {
    const { output } = await onTerminal({ rows: 8 });
    const heights = [...output.matchAll(new RegExp(UP, "g"))].map(([, lines]) => Number(lines));
    expect(new Set(heights)).toEqual(new Set([7]));
  });

  test("gives the cursor back on Ctrl-C, and draws no more", async () => {
    const { exit, output } = await onTerminal({ interrupt: true });
    expect(exit).toBe(130);
    const [drawn = "", after] = output.split(SHOW_CURSOR);
    expect(drawn).toContain("REPLICA");
    expect(after).toBe("interrupted: stopping everything\r\n");
  });
});
