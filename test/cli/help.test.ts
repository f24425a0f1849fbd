import { readFileSync } from "node:fs";
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { EXIT_MEANINGS } from "../../src/cli/exit-codes.js";
import { built, root } from "../helpers/built.js";
import { freshFolder } from "../helpers/folder.js";
import { type Ended, tryRun } from "../helpers/run.js";

beforeAll(built);

const run = (...words: string[]): Promise<Ended> =>
  tryRun(process.execPath, ["bin/latchkey.js", ...words], { cwd: root, env: { PATH: process.env.PATH } });

const COMMANDS = [
  ..."init apply machines graph create get list count stats history wait events reactions transition patch heartbeat sweep remove restore import".split(
    " ",
  ),
  ..."doctor acl fsck dev demo completion lua".split(" "),
  ...["list", "show", "sha", "path", "load", "check"].map((name) => `lua ${name}`),
  ...["dead", "pending", "retry", "drop", "forget"].map((name) => `reactions ${name}`),
];

/** The help of every command, by its words. */
let helps: Map<string, Ended>;
beforeAll(async () => {
  const entries: [string, Ended][] = [];
  for (const name of COMMANDS) entries.push([name, await run(...name.split(" "), "--help")]);
  helps = new Map(entries);
});

const helpOf = (name: string): Ended => helps.get(name) ?? { exit: -1, stdout: "", stderr: "" };
const unwrapped = (text: string): string => text.replace(/\s+/g, " ");

describe("help", () => {
  test("without a command names every command, the exit codes and examples", async () => {
    const [help, none, command] = [await run("--help"), await run(), await run("help")];
    expect(help).toMatchObject({ exit: 0, stderr: "" });
    for (const name of COMMANDS.filter((one) => !one.includes(" "))) {
      expect(help.stdout).toMatch(RegExp(`^ {2}${name} `, "m"));
    }
    for (const [code, meaning] of EXIT_MEANINGS) expect(help.stdout).toContain(`${code}  ${meaning}\n`);
    expect(help.stdout).toContain("Examples:\n  latchkey apply\n");
    expect(help.stdout).not.toContain("__complete");
    expect(none).toEqual(help);
    expect(command).toEqual(help);
  });

  test.each(COMMANDS)("of %s goes to stdout and has an example and the global options", (name) => {
    const { exit, stdout, stderr } = helpOf(name);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
    expect(stdout).toContain(`Usage: latchkey ${name}`);
    expect(stdout).toContain("--namespace <name>");
    const verb = name.split(" ")[0];
    expect(stdout).toMatch(RegExp(`Examples:\\n(.*\\n)*.*latchkey ${verb}`));
  });

  test("of one command is the same, whichever way it is asked for", async () => {
    expect(await run("help", "get")).toEqual(helpOf("get"));
    expect(await run("get", "-h")).toEqual(helpOf("get"));
  });

  test("the version is the package's", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(await run("--version")).toEqual({ exit: 0, stdout: `${version}\n`, stderr: "" });
  });
});

describe("wrong words", () => {
  test("an unknown command exits 2 and offers the nearest", async () => {
    const ended = await run("trnasition", "a1", "running");
    expect(ended).toMatchObject({ exit: 2, stdout: "" });
    expect(ended.stderr).toBe(
      "error: unknown command 'trnasition'\n  (Did you mean transition?)\n  try: node bin/latchkey.js --help\n",
    );
  });

  test("the hint names the command that was typed, not an option's value", async () => {
    const hints: [words: string[], command: string][] = [
      [["--url", "valkey://localhost:1", "get"], "get "],
      [["-m", "list", "get"], "get "],
      [["--namespace", "n", "lua", "show"], "lua show "],
      [["lua", "frob"], "lua "],
      [["--nonsense", "get"], "get "],
    ];
    for (const [words, command] of hints) {
      const { exit, stderr } = await run(...words);
      expect(exit, words.join(" ")).toBe(2);
      expect(stderr).toMatch(RegExp(`\n  try: node bin/latchkey\\.js ${command}--help\n$`));
    }
  });

  test.each([
    ["an option's value", ["--url", "valkey://ann:s3cret@localhost:1", "get"]],
    ["a command", ["valkey://ann:s3cret@localhost:1", "get"]],
    ["one argument too many", ["list", "valkey://ann:s3cret@localhost:1"]],
    ["a choice", ["completion", "valkey://ann:s3cret@localhost:1"]],
  ])("never show the password of a URL that stands as %s", async (_, words) => {
    const { exit, stdout, stderr } = await run(...words);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: "" });
    expect(stderr).toContain("error: ");
    expect(stderr).not.toContain("s3cret");
  });

  test.each([
    [["lua"], "missing command", "lua --help"],
    [["--namespace", "n"], "missing command", "--help"],
    [["help", "trnasition"], "unknown command 'trnasition'", "--help"],
    [["lua", "help", "shwo"], "unknown command 'shwo'", "lua --help"],
  ])("%j exits 2 and names the problem", async (words, problem, hint) => {
    expect(await run(...words)).toEqual({
      exit: 2,
      stdout: "",
      stderr: `error: ${problem}\n  try: node bin/latchkey.js ${hint}\n`,
    });
  });

  test("they are JSON with -o json", async () => {
    const ended = await run("get", "-o", "json");
    expect(ended).toMatchObject({ exit: 2, stdout: "" });
    expect(JSON.parse(ended.stderr)).toEqual({
      error: {
        code: "USAGE",
        message: "missing required argument 'id'",
        hint: "node bin/latchkey.js get --help",
      },
    });
  });
});

test("a copy that is not built prints the command to build it", async () => {
  const folder = await freshFolder();
  await cp(join(root, "bin"), join(folder, "bin"), { recursive: true });
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
  const ended = await tryRun(process.execPath, ["bin/latchkey.js", "get", "a1"], { cwd: folder });
  expect(ended).toMatchObject({ exit: 1, stdout: "" });
  expect(ended.stderr).toBe("error: latchkey is not built here; run: npm ci && npm run build\n");
});

describe("docs/reference/cli.md", () => {
  const document = readFileSync(join(root, "docs/reference/cli.md"), "utf8");
  const sections = new Map(
    document.split(/^###? /m).map((section) => [/^`latchkey ([^`]+)`\n/.exec(section)?.[1] ?? "", section]),
  );

  test.each(COMMANDS)(
    "has the synopsis of %s, all its options and an example, as its help has them",
    (name) => {
      const { stdout } = helpOf(name);
      const section = sections.get(name);
      if (section === undefined) throw new Error(`docs/reference/cli.md has no section for ${name}`);
      const usage = /^Usage: (.*)$/m.exec(stdout)?.[1] ?? "no usage";
      expect(section).toContain(usage);
      const own = stdout.slice(0, stdout.indexOf("Global Options:"));
      const options = [...own.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, option]) => option);
      const missing = options.filter((option) => option !== "--help" && !section.includes(String(option)));
      expect(missing).toEqual([]);
      const examples = /```bash[^\n]*\n([\s\S]*?)```/.exec(section)?.[1]?.trim().split("\n") ?? [];
      expect(examples.length).toBeGreaterThan(0);
      for (const example of examples) expect(unwrapped(stdout)).toContain(unwrapped(example));
    },
  );

  test("has no section for a command that is not there, and all exit codes", () => {
    expect([...sections.keys()].filter((name) => name !== "").sort()).toEqual([...COMMANDS].sort());
    for (const [code, meaning] of EXIT_MEANINGS) expect(document).toContain(`| ${code} | ${meaning} |`);
  });
});
