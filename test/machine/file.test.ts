import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MachineDefinitionError } from "../../src/errors/machine-definition-error.js";
import { MachineFileError } from "../../src/errors/machine-file-error.js";
import { readMachineFile } from "../../src/machine/file.js";
import { job } from "../helpers/definitions.js";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "latchkey-machine-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function failure(path: string, stdin?: Readable): Promise<MachineDefinitionError | MachineFileError> {
  const error: unknown = await readMachineFile(path, stdin).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (error instanceof MachineDefinitionError || error instanceof MachineFileError) return error;
  throw new Error("not refused as it should be", { cause: error });
}

const yaml = `# a job
name: job
version: 3
initial: queued
states:
  queued:
    to: [active, dropped]
    timeout: { after: 1h, to: dropped, set: { error: never started } }
  active:
    stamp: startedAt
    to:
      - queued
      - done
      - dropped
  done: { require: [result], retain: 7d }
  dropped: { event: job.gone, require: [error] }
`;

describe("readMachineFile reads", () => {
  test("JSON", async () => {
    expect(await readMachineFile(await file("job.json", JSON.stringify(job)))).toEqual(job);
  });

  test("JSON with tabs and a byte order mark", async () => {
    expect(
      await readMachineFile(await file("tabs.JSON", `\ufeff${JSON.stringify(job, null, "\t")}`)),
    ).toEqual(job);
  });

  test.each(["job.yaml", "job.yml"])("YAML from %s", async (name) => {
    expect(await readMachineFile(await file(name, yaml))).toEqual(job);
  });

  test("YAML with anchors", async () => {
    const text = `
name: m
version: 1
initial: a
states:
  a: { to: &all [a, b, c] }
  b: { to: *all }
  c: {}
`;
    const machine = await readMachineFile(await file("anchors.yaml", text));
    expect(machine.states.b).toEqual({ to: ["a", "b", "c"] });
  });

  test("JSON or YAML from standard input", async () => {
    expect(await readMachineFile("-", Readable.from([JSON.stringify(job, null, "\t")]))).toEqual(job);
    const halves = [Buffer.from(yaml).subarray(0, 50), Buffer.from(yaml).subarray(50)];
    expect(await readMachineFile("-", Readable.from(halves))).toEqual(job);
  });
});

describe("readMachineFile reports file, line and path of", () => {
  test("every problem in YAML", async () => {
    const path = await file(
      "wrong.yaml",
      yaml.replace("- done\n", "- doen\n").replace("retain:", "retian:").replace("version: 3\n", ""),
    );
    const error = await failure(path);
    expect(error).toBeInstanceOf(MachineDefinitionError);
    expect(error.message).toBe(
      "invalid machine definition\n" +
        `${path}:2: version: is missing\n` +
        `${path}:12: states.active.to[1]: unknown state "doen"; did you mean "done"?\n` +
        `${path}:14: states.done.retian: unknown property; did you mean "retain"?`,
    );
    expect(error).toMatchObject({ problems: [{ path: "version", line: 2 }, { line: 12 }, { line: 14 }] });
  });

  test("a problem in JSON", async () => {
    const path = await file("wrong.json", JSON.stringify({ ...job, initial: "qeued" }, null, 2));
    expect((await failure(path)).message).toContain(
      `\n${path}:4: initial: unknown state "qeued"; did you mean "queued"?`,
    );
  });

  test("a problem behind an alias", async () => {
    const text =
      "name: m\nversion: 1\ninitial: a\nstates:\n  a: { to: [b], lease: &l { for: 0, to: b } }\n  b: *l\n";
    const error = await failure(await file("alias.yaml", text));
    expect(error).toMatchObject({
      problems: [
        { path: "states.a.lease.for", line: 5 },
        { path: "states.b.for", line: 5 },
        { path: "states.b.to", line: 5 },
      ],
    });
  });

  test.each([
    ["an unquoted name", '{\n  "name": "m",\n  version: 1\n}', 3, 'invalid JSON at "version"'],
    ["single quotes", "{\n  \"name\": 'm'\n}", 2, `invalid JSON at "'m'"`],
    ["a comma too many", '{\n  "name": "m",\n}', 3, 'invalid JSON at "}"'],
    ["a comma too few", '{\n  "name": "m"\n  "version": 1\n}', 3, 'invalid JSON at "\\""'],
    ["a comment", '{\n  // why\n  "name": "m"\n}', 2, 'invalid JSON at "/"'],
    ["a number that is not JSON", '{\n"version": 01}', 2, 'invalid JSON at "01"'],
    ["the wrong bracket", '{\n"states": [}', 2, 'invalid JSON at "}"'],
    ["a colon too few", '{\n"states"\n[]}', 3, 'invalid JSON at "["'],
    ["something after the end", "{}\n\n[]", 3, 'invalid JSON at "["'],
    ["a missing end", '{\n  "states": [[1], {}, ', 2, "incomplete JSON"],
    ["no content", "", 1, "incomplete JSON"],
  ])("%s in JSON", async (_title, text, line, message) => {
    const path = await file("broken.json", text);
    expect((await failure(path)).message).toBe(`invalid machine definition\n${path}:${line}: ${message}`);
  });

  test.each([
    [
      "a name that stands twice",
      "broken.yaml",
      "name: m\nstates:\n  a: {}\n  a: {}\n",
      4,
      '"a" is a duplicate name',
    ],
    [
      "a name that stands twice",
      "twice.json",
      '{"states": {\n"a": {},\n"a": {}}}',
      3,
      '"a" is a duplicate name',
    ],
    ["a tab", "broken.yaml", "name: m\nstates:\n\ta: {}\n", 3, "Tabs are not allowed as indentation"],
    ["an unknown tag", "broken.yaml", "name: m\nversion: !one 1\n", 2, "Unresolved tag: !one"],
    ["a second document", "broken.yaml", "name: m\n---\nname: n\n", 2, "Source contains multiple documents"],
  ])("%s in %s", async (_title, name, text, line, message) => {
    const path = await file(name, text);
    expect((await failure(path)).message).toContain(
      `invalid machine definition\n${path}:${line}: ${message}`,
    );
  });

  test("an unresolved alias, and an excessive number of aliases", async () => {
    const nothing = await file("alias.yaml", "name: *nobody\n");
    expect((await failure(nothing)).message).toContain(`${nothing}: Unresolved alias`);
    const levels = Array.from({ length: 9 }, (_, at) => `l${at + 1}: &l${at + 1} [${`*l${at},`.repeat(9)}]`);
    const bomb = await file("bomb.yaml", `l0: &l0 [x]\n${levels.join("\n")}\n`);
    expect((await failure(bomb)).message).toContain(`${bomb}: Excessive alias count`);
  });

  test("standard input", async () => {
    expect((await failure("-", Readable.from(["name: [\n"]))).message).toContain("\n(standard input):");
    expect((await failure("-", Readable.from([]))).message).toContain(
      "\n(standard input):1: must be an object, not null",
    );
  });
});

describe("readMachineFile rejects", () => {
  test("a missing file", async () => {
    const path = join(folder, "absent.yaml");
    const error = await failure(path);
    expect(error).toMatchObject({
      name: "MachineFileError",
      code: "MACHINE_FILE",
      cause: { code: "ENOENT" },
    });
    expect(error.message).toBe(`machine file ${path}: file not found`);
  });

  test("a folder", async () => {
    const path = join(folder, "folder.yaml");
    await mkdir(path);
    expect((await failure(path)).message).toBe(`machine file ${path}: is a directory`);
  });

  test("a path below a file", async () => {
    const path = join(await file("plain.yaml", yaml), "job.yaml");
    expect((await failure(path)).message).toBe(`machine file ${path}: cannot be read (ENOTDIR)`);
  });

  test("another kind of file", async () => {
    expect((await failure("job.toml")).message).toBe(
      "machine file job.toml: its name must end in .json, .yaml or .yml",
    );
  });

  test("bytes that are not UTF-8", async () => {
    const path = await file("latin.yaml", Buffer.from([0x6e, 0xe9, 0x0a]));
    expect((await failure(path)).message).toBe(`machine file ${path}: is not UTF-8 text`);
  });
});
