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
    "ApplyInterruptedError",
    "ClosedError",
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
    "RejectedError",
    "WaitError",
    "agent",
    "checkedMachine",
    "compareMachines",
    "compileMachine",
    "connect",
    "defineMachine",
    "durationMs",
    "errorText",
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

/** The only lines in src with the word PUBLISH, by file. */
const PUBLISHING: Readonly<Record<string, string>> = {
  // The doctor only checks this permission, as its own test proves.
  "doctor/permissions/samples.ts": '[["PUBLISH", channelOf(location), "m"]]',
  // publishEvents uses it, and rejects latchkey's own channel.
  "valkey/send-message.ts": "client.publish(channel, message)",
  // Tests find their server by a channel of Node.
  "testing/shared-server.ts": "servers.publish(question)",
};

it("one file in src publishes, on other channels: else only scripts do, so that each published change was applied", () => {
  for (const [name, text] of texts) {
    if (name.startsWith("lua/")) continue;
    if (text.includes("/send-message.js")) expect(name).toBe("reactions/publish-events.ts");
    const rest = text.replace(PUBLISHING[name] ?? /$^/, "");
    expect([name, /\bs?publish\s*\(|["'`]S?PUBLISH["'`]/i.test(rest)]).toEqual([name, false]);
  }
});

/** The layers of src, lowest first. A folder or a file at the root imports only from lower layers, never from siblings. */
const layers: readonly (readonly string[])[] = [
  ["machine"],
  ["contract"],
  ["valkey"],
  ["reads"],
  ["changes"],
  ["events"],
  ["leases", "sweep", "install", "waits", "reactions"],
  ["fsck", "doctor"],
  ["entities"],
  ["agent-lifecycle"],
  ["latchkey"],
  ["index"],
  ["server"],
  ["testing"],
  ["cli", "nestjs"],
];
/** The generated Lua and the errors serve every layer. Errors name documents, which are part of the contract. */
const shared: Readonly<Record<string, readonly string[]>> = { lua: [], errors: ["machine", "contract"] };

const rankOf = (room: string): number => layers.findIndex((layer) => layer.includes(room));

function mayImport(room: string, target: string): boolean {
  if (target === room || target in shared) return true;
  return shared[room]?.includes(target) ?? rankOf(target) < rankOf(room);
}

/** Reads the paths that a file imports, relative to src. */
function importsOf(name: string, text: string): string[] {
  const paths = [...text.matchAll(/(?:from|import)\s*\(?\s*["'](\.[^"']+)["']/g)];
  return paths.map(([, path = ""]) =>
    relative(src, resolve(src, dirname(name), path)).replace(/\.js$/, ".ts"),
  );
}

/** Lists the imports of a file that go against the direction, each as `room -> room`. */
function wrongImports(name: string, text: string): string[] {
  const room = roomOf(name);
  return importsOf(name, text)
    .map(roomOf)
    .filter((target) => !mayImport(room, target))
    .map((target) => `${room} -> ${target}`);
}

/** Lists the files that import each other in a circle, types included. */
function circles(files: ReadonlyMap<string, string>): string[] {
  const imports = new Map([...files].map(([name, text]) => [name, importsOf(name, text)]));
  const reaches = (from: string, to: string, visited = new Set<string>()): boolean =>
    (imports.get(from) ?? []).some((next) => {
      if (next === to) return true;
      if (visited.has(next)) return false;
      visited.add(next);
      return reaches(next, to, visited);
    });
  return [...files.keys()].filter((name) => reaches(name, name));
}

/** Names the folder of a file, or the file itself if it is at the root of src. */
function roomOf(name: string): string {
  return name.includes("/") ? (name.split("/")[0] ?? "") : name.replace(/\.ts$/, "");
}

describe("imports point one way", () => {
  it("down the layers, in every file", () => {
    const rooms = [...new Set([...texts.keys()].map(roomOf))];
    expect(rooms.filter((room) => rankOf(room) < 0 && !(room in shared))).toEqual([]);
    for (const [name, text] of texts) expect([name, wrongImports(name, text)]).toEqual([name, []]);
  });

  it("without circles, including type imports", () => {
    expect(circles(texts)).toEqual([]);
    expect(
      circles(
        new Map([
          ["a/x.ts", 'import type { Y } from "../b/y.js";'],
          ["b/y.ts", 'import { x } from "../a/x.js";'],
          ["c.ts", 'import "./a/x.js";'],
        ]),
      ),
    ).toEqual(["a/x.ts", "b/y.ts"]);
  });

  it.each([
    ["changes/get.ts", 'import { x } from "../cli/main.js";', "changes -> cli"],
    ["machine/a.ts", 'import type { x } from "../contract/reply.js";', "machine -> contract"],
    ["valkey/a.ts", 'await import("../latchkey.js");', "valkey -> latchkey"],
    ["sweep/a.ts", 'export { x } from "../leases/hold.js";', "sweep -> leases"],
    ["errors/a.ts", 'import { x } from "../valkey/keys.js";', "errors -> valkey"],
    ["latchkey.ts", 'import "./cli/main.js";', "latchkey -> cli"],
  ])("%s cannot contain %s", (name, text, wrong) => {
    expect(wrongImports(name, text)).toEqual([wrong]);
  });
});
