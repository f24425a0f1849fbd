import { readdir, readFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import * as latchkey from "../src/index.js";
import { root } from "./helpers/built.js";

const src = join(root, "src");
const names = (await readdir(src, { recursive: true })).filter((name) => name.endsWith(".ts"));
const texts = new Map(
  await Promise.all(names.map(async (name) => [name, await readFile(join(src, name), "utf8")] as const)),
);

it("the package exports these values, and no others", () => {
  expect(Object.keys(latchkey).sort()).toEqual([
    "AgentLifecycle",
    "AgentLifecycleError",
    "AlreadyExistsError",
    "ConflictError",
    "ConnectError",
    "ContractError",
    "DeadlineExceededError",
    "Entities",
    "GapError",
    "IllegalTransitionError",
    "LatchkeyError",
    "LayoutError",
    "LeaseLostError",
    "MachineDefinitionError",
    "MachineFileError",
    "MachineInUseError",
    "MissingFieldError",
    "NoLeaseError",
    "NotDurableError",
    "NotExecutedError",
    "NotFoundError",
    "OutcomeForgottenError",
    "OutcomeUnknownError",
    "ReactionInUseError",
    "RefusedError",
    "WaitError",
    "agent",
    "checkedMachine",
    "compareMachines",
    "compileMachine",
    "connect",
    "defineMachine",
    "durationMs",
    "ownFields",
    "parseCompiledMachine",
    "partitionOf",
    "readMachineFile",
    "toDot",
    "toMermaid",
    "toXState",
    "validateMachine",
  ]);
});

it("nothing in src publishes: that is the scripts' part, so that no change is announced that was not made", () => {
  for (const [name, text] of texts) {
    if (name.startsWith("lua/")) continue;
    // The doctor asks whether this one call would be allowed; its own test proves that it does not make it.
    const rest =
      name === "doctor/rights/samples.ts" ? text.replace('[["PUBLISH", channelOf(place), "m"]]', "") : text;
    expect([name, /\bs?publish\s*\(|["'`]S?PUBLISH["'`]/i.test(rest)]).toEqual([name, false]);
  }
});

/** Which folders of src each folder may import from, itself aside. "" is src itself. */
const allowed: Record<string, readonly string[]> = {
  lua: [],
  machine: [],
  server: [],
  valkey: ["lua", "machine"],
  store: ["lua", "machine", "valkey"],
  doctor: ["lua", "valkey"],
  events: ["lua", "machine", "valkey"],
  testing: ["server"],
  fsck: ["events", "lua", "machine", "store", "valkey"],
  "": ["events", "machine", "store", "valkey"],
  cli: ["", "doctor", "events", "fsck", "lua", "machine", "server", "store", "valkey"],
};

/** The imports of a file that go against the direction, each as `folder -> folder`. */
function wrongImports(name: string, text: string): string[] {
  const folder = folderOf(name);
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*["'](\.[^"']+)["']/g)];
  return found.flatMap(([, path = ""]) => {
    const target = folderOf(relative(src, resolve(src, dirname(name), path)));
    return target === folder || allowed[folder]?.includes(target) ? [] : [`${folder} -> ${target}`];
  });
}

function folderOf(name: string): string {
  return name.includes("/") ? (name.split("/")[0] ?? "") : "";
}

describe("dependencies point one way", () => {
  it("in every file, down from the commands to machines and the server", () => {
    expect([...new Set([...texts.keys()].map(folderOf))].filter((folder) => !(folder in allowed))).toEqual(
      [],
    );
    for (const [name, text] of texts) expect([name, wrongImports(name, text)]).toEqual([name, []]);
  });

  it.each([
    ["store/get.ts", 'import { x } from "../cli/main.js";', "store -> cli"],
    ["machine/a.ts", 'import type { x } from "../store/call.js";', "machine -> store"],
    ["valkey/a.ts", 'await import("../latchkey.js");', "valkey -> "],
    ["events/a.ts", 'export { x } from "../store/errors.js";', "events -> store"],
    ["latchkey.ts", 'import "./cli/main.js";', " -> cli"],
  ])("and %s may not say %s", (name, text, wrong) => {
    expect(wrongImports(name, text)).toEqual([wrong]);
  });
});
