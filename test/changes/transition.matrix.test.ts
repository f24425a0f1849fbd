import { beforeAll, describe, expect, it } from "vitest";
import {
  agent,
  type Change,
  connect,
  type Entities,
  IllegalTransitionError,
  type MachineDefinition,
  type Snapshot,
} from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { keyspace } from "../helpers/keyspace.js";
import { order } from "../helpers/order.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

/** All fields that a state requires. They are set on creation, so that transitions need no options. */
const REQUIRED = { error: "exit 137", carrier: "ups", claim: 7 };

for (const machine of [agent(), order] as MachineDefinition[]) {
  describe(`a ${machine.name}`, () => {
    for (const [from, { to: legal = [] }] of Object.entries(machine.states)) {
      describe(`that is ${from}`, () => {
        const namespace = freshNamespace();
        let entities: Entities;
        beforeAll(async () => {
          const { url } = await useValkey();
          const latchkey = await connect({ url, namespace });
          entities = await latchkey.machine(machine);
          return () => latchkey.close();
        });

        for (const to of Object.keys(machine.states)) {
          const name = `${from}-to-${to}`;
          if (legal.includes(to)) {
            it(`moves to ${to}`, async () => {
              const before = await put(entities, machine, name, from);
              const change = await entities.transition(name, to, { op: "op1", actor: "me", reason: "why" });
              expect(change).toEqual(expected(machine, before, to, change));
              expect(Object.keys(change).slice(0, 12)).toEqual(DOCUMENT_ORDER);
              expect(await entities.get(name)).toEqual(snapshotOf(change as Change));
            });
          } else {
            it(`cannot move to ${to}`, async () => {
              const before = await put(entities, machine, name, from);
              const untouched = await keyspace(await admin(), namespace);
              const error = await rejectionOf(IllegalTransitionError, entities.transition(name, to));
              expect(await keyspace(await admin(), namespace)).toEqual(untouched);
              expect(error).toMatchObject({ code: "ILLEGAL", machine: machine.name, id: name, to });
              expect(error.current).toEqual(before);
              expect(error.allowed).toEqual(legal);
              const ways = legal.length === 0 ? `${from} is final` : `allowed: ${legal.join(", ")}`;
              expect(error.message).toBe(
                `${machine.name} ${name} cannot transition from ${from} to ${to}: ${ways}`,
              );
            });
          }
        }
      });
    }

    it("cannot move to a state that its machine does not have", async () => {
      const home = await client();
      const { namespace } = home;
      const entities = await home.machine(machine);
      await put(entities, machine, "unknown-target", machine.initial);
      const untouched = await keyspace(await admin(), namespace);
      const error = await rejectionOf(
        IllegalTransitionError,
        entities.transition("unknown-target", "nowhere"),
      );
      expect(error.allowed).toEqual(machine.states[machine.initial]?.to);
      expect(await keyspace(await admin(), namespace)).toEqual(untouched);
    });
  });
}

it("returns a rejection from a `try…` method, with the error that the other method throws", async () => {
  const agents = await (await client()).machine(agent());
  const { outcome, ok } = await agents.tryCreate("a1");
  expect([outcome, ok]).toEqual(["OK", true]);
  const result = await agents.tryTransition("a1", "completed");
  if (result.ok) throw new Error("It was not refused");
  expect(result.outcome).toBe("ILLEGAL");
  expect(result.current).toEqual(await agents.get("a1"));
  expect(result.error).toBeInstanceOf(IllegalTransitionError);
  expect(result.error.message).toBe(
    (await rejectionOf(IllegalTransitionError, agents.transition("a1", "completed"))).message,
  );
});

const DOCUMENT_ORDER = "type machine id from state version timestamp since createdAt actor reason op".split(
  " ",
);

/** Creates an entity and moves it to a state on the shortest path. */
async function put(
  entities: Entities,
  machine: MachineDefinition,
  id: string,
  state: string,
): Promise<Snapshot> {
  await entities.create(id, REQUIRED);
  for (const step of wayTo(machine, state)) await entities.transition(id, step);
  const entity = await entities.get(id);
  if (entity?.state !== state) throw new Error(`${id} could not be brought to ${state}`);
  return entity;
}

function wayTo(machine: MachineDefinition, state: string): readonly string[] {
  const ways: string[][] = [[]];
  for (const way of ways) {
    const at = way.at(-1) ?? machine.initial;
    if (at === state) return way;
    if (way.length > 12) break;
    for (const next of machine.states[at]?.to ?? []) if (!way.includes(next)) ways.push([...way, next]);
  }
  throw new Error(`No way leads to ${state}`);
}

/** Builds the expected document of a change. Only the server's time comes from the reply. */
function expected(machine: MachineDefinition, before: Snapshot, to: string, { timestamp }: Snapshot): object {
  const { stamp, event } = machine.states[to] ?? {};
  expect(timestamp >= before.timestamp).toBe(true);
  return {
    ...before,
    type: event ?? `${machine.name}.${to}`,
    from: before.state,
    state: to,
    version: before.version + 1,
    timestamp,
    since: timestamp,
    actor: "me",
    reason: "why",
    op: "op1",
    ...(stamp !== undefined && { [stamp]: before[stamp] ?? timestamp }),
  };
}

function snapshotOf({ type, from, actor, reason, op, ...snapshot }: Change): Snapshot {
  return snapshot as Snapshot;
}
