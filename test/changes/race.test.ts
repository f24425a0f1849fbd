import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Valkey } from "iovalkey";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agent, type Change, connect, type Entities, type Latchkey, type Snapshot } from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { built, root } from "../helpers/built.js";
import { connection } from "../helpers/calls.js";
import { all } from "../helpers/client.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const RACERS = 20;
const ROUNDS = 30;
const names = Array.from({ length: RACERS }, (_, n) => `racer-${n}`);
const namespace = freshNamespace();

interface Finish {
  readonly name: string;
  readonly outcome: string;
  readonly document: Change | null;
  readonly current: Snapshot | null;
}

let racers: ChildProcess[];
let valkey: Valkey;
let home: Latchkey;
let agents: Entities<AgentState>;

beforeAll(async () => {
  await built();
  const { url } = await useValkey();
  valkey = await connection();
  home = await connect({ url, namespace });
  agents = await home.machine(agent());
  const entry = pathToFileURL(join(root, "dist/index.js")).href;
  racers = names.map((name) =>
    spawn(process.execPath, ["test/fixtures/racer.mjs", entry, url, namespace, name], {
      stdio: ["ignore", "ignore", "inherit"],
    }),
  );
  for (const _ of names) await valkey.blpop(`${namespace}:ready`, 60);
});

afterAll(async () => {
  const ended = racers.map((racer) => (racer.exitCode === null ? once(racer, "exit") : undefined));
  for (const name of names) await valkey.rpush(`${namespace}:start:${name}`, JSON.stringify(["end"]));
  await Promise.all(ended);
  await home.close();
});

/** Starts a call in all racers at the same moment, with one transaction. */
async function race(call: (name: string) => readonly unknown[]): Promise<Finish[]> {
  const start = valkey.multi();
  for (const name of names) start.rpush(`${namespace}:start:${name}`, JSON.stringify(call(name)));
  await start.exec();
  const finishes: Finish[] = [];
  for (const _ of names) {
    const [, finish] = (await valkey.blpop(`${namespace}:done`, 20)) ?? [];
    finishes.push(JSON.parse(String(finish)));
  }
  return finishes;
}

/** Returns the winner. All others must be rejected with this outcome and the winner's document. */
function winnerOf(finishes: readonly Finish[], refusal: string): Change {
  const [winner, ...more] = finishes.filter(({ outcome }) => outcome === "OK");
  expect(more).toEqual([]);
  if (!winner?.document) throw new Error("Nobody won");
  const { type, from, actor, reason, op, forced, ...snapshot } = winner.document;
  for (const { outcome, current } of finishes.filter((finish) => finish !== winner)) {
    expect({ outcome, current }).toEqual({ outcome: refusal, current: snapshot });
  }
  expect(winner.name).toBe(actor);
  return winner.document;
}

describe(`of ${RACERS} racing processes`, () => {
  it(`one makes a transition in each of ${ROUNDS} rounds, with one event`, async () => {
    const winners = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      const id = `moved-${round}`;
      await agents.create(id);
      const won = winnerOf(await race((actor) => ["tryTransition", id, "running", { actor }]), "ILLEGAL");
      expect(won).toMatchObject({ id, version: 2, from: "spawning", state: "running" });
      const history = await agents.history(id);
      expect(history).toHaveLength(2);
      expect(history[1]).toMatchObject({
        op: won.op,
        actor: won.actor,
        timestamp: won.timestamp,
        version: 2,
      });
      winners.add(String(won.actor));
    }
    expect(winners.size).toBeGreaterThan(1);
  });

  it("one ends an agent, whichever final state they want", async () => {
    const ends: AgentState[] = ["completed", "failed", "killed"];
    for (let round = 0; round < ROUNDS; round++) {
      const id = `ended-${round}`;
      await agents.create(id, { error: "none" });
      await agents.transition(id, "running");
      const won = winnerOf(
        await race((actor) => ["tryTransition", id, ends[names.indexOf(actor) % 3], { actor }]),
        "ILLEGAL",
      );
      expect(await agents.get(id)).toMatchObject({
        version: 3,
        state: won.state,
        completedAt: won.timestamp,
      });
    }
  });

  it("one creates an agent, and the others receive it", async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const id = `made-${round}`;
      const won = winnerOf(await race((actor) => ["tryCreate", id, { by: actor }, { actor }]), "EXISTS");
      expect(await agents.get(id)).toMatchObject({ version: 1, by: won.actor });
    }
  });

  it("one patches a version of an agent", async () => {
    await agents.create("patched");
    for (let round = 1; round <= ROUNDS; round++) {
      const finishes = await race((actor) => [
        "tryPatch",
        "patched",
        { set: { by: actor }, ifVersion: round, actor },
      ]);
      expect(winnerOf(finishes, "CONFLICT")).toMatchObject({ version: round + 1 });
    }
  });

  it("all patch in sequence if none expects a version", async () => {
    await agents.create("shared");
    const finishes = await race((actor) => ["tryPatch", "shared", { set: { by: actor }, actor }]);
    const versions = finishes.map(({ document }) => document?.version ?? 0).sort((a, b) => a - b);
    expect(versions).toEqual(names.map((_, n) => n + 2));
  });

  it("one removes an agent", async () => {
    for (let round = 0; round < 10; round++) {
      await agents.create("gone");
      const outcomes = (await race((actor) => ["tryRemove", "gone", { actor }])).map(
        ({ outcome }) => outcome,
      );
      expect(outcomes.sort()).toEqual([...Array(RACERS - 1).fill("NOTFOUND"), "OK"]);
    }
  });

  it("one makes a change that all retry with the same key", async () => {
    await agents.create("retried");
    const finishes = await race((actor) => ["tryPatch", "retried", { set: { n: 1 }, op: "the-same", actor }]);
    expect(finishes.filter(({ outcome }) => outcome === "OK")).toHaveLength(1);
    expect(finishes.filter(({ outcome }) => outcome === "REPLAYED")).toHaveLength(RACERS - 1);
    for (const { document } of finishes) expect(document?.version).toBe(2);
  });
});

it("every accepted change of these races is in the event log once, with contiguous versions", async () => {
  const versions = new Map<string, number>();
  for (const { id, version, type } of await all(agents.events({ after: "start", follow: false }))) {
    expect([id, version]).toEqual([id, (versions.get(id) ?? 0) + 1]);
    versions.set(id, type === "agent.removed" ? 0 : version);
  }
  expect(versions.size).toBe(3 * ROUNDS + 4);
});
