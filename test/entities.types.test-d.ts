// Checked by the compiler alone, from machine.types.test.ts: each line below an "expect-error" must not compile.
import type {
  AgentLifecycle,
  AgentState,
  Change,
  Entities,
  EntitiesOf,
  EventOf,
  JsonValue,
  Latchkey,
  Replay,
  Snapshot,
} from "../src/index.js";
import { agent, defineMachine, ownFields } from "../src/index.js";

declare const latchkey: Latchkey;

export async function misspelt(): Promise<void> {
  const agents = await latchkey.machine(agent());
  const typed: Entities<AgentState> = agents;
  await typed.transition("a1", "completed");
  // @ts-expect-error a misspelt target
  await agents.transition("a1", "complted");
  // @ts-expect-error a misspelt target of tryTransition
  await agents.tryTransition("a1", "complted");
  // @ts-expect-error a misspelt state of a list
  agents.list({ state: "runing" });
  // @ts-expect-error a misspelt state among several
  await agents.listPage({ state: ["running", "runing"] });
  // @ts-expect-error a misspelt option
  await agents.transition("a1", "running", { reasn: "oom" });
  await agents.transition("a1", "running", { ifState: "spawning" });
  // @ts-expect-error a misspelt state to move from
  await agents.transition("a1", "running", { ifState: "spawnig" });
  // @ts-expect-error a misspelt state to patch in
  await agents.tryPatch("a1", { set: { n: 1 }, ifState: "runing" });
  // @ts-expect-error a misspelt state to remove from
  await agents.remove("a1", { ifState: "complted" });
  // @ts-expect-error a misspelt state to renew the lease of
  await agents.heartbeat("a1", { ifState: "runing" });
  await agents.create("a1", { at: new Date() });
  // @ts-expect-error the fields must be an object
  await agents.create("a1", "t1");
  // @ts-expect-error an invalid duration
  agents.list({ olderThan: "10 minutes" });

  const counts: Record<AgentState, number> = await agents.count();
  // @ts-expect-error a count of no state
  counts.complted;
  const now: Snapshot<AgentState> | null = await agents.get("a1");
  // @ts-expect-error a state that is impossible here
  if (now?.state === "complted") return;
  for await (const change of agents.events()) takes(change);

  const order = await latchkey.machine(
    defineMachine({
      name: "order",
      version: 1,
      initial: "open",
      states: { open: { to: ["paid"] }, paid: {} },
    }),
  );
  await order.transition("o1", "paid");
  const done = await order.transition("o1", "paid");
  if (done.opVersion === undefined) {
    const from: "open" | "paid" | null = done.from;
    const change: Change<"open" | "paid"> = done;
    // @ts-expect-error a state that cannot be the previous one
    if (from === "shipped" || change.type === "") return;
  } else {
    const replay: Replay<"open" | "paid"> = done;
    // @ts-expect-error a replay made nothing new
    takesText(replay.type);
  }
  // @ts-expect-error a state of another machine
  await order.transition("o1", "running");
  await agents.react("r", takes, {
    on: ["agent.spawned", "agent.failed", "agent.updated", "agent.restored"],
  });
  // @ts-expect-error a misspelt event
  await agents.react("r", takes, { on: ["agent.complted"] });
  // @ts-expect-error a state whose event has another name
  await agents.react("r", takes, { on: ["agent.spawning"] });
  const job = defineMachine({
    name: "job",
    version: 1,
    initial: "queued",
    states: { queued: { event: "job.accepted", to: ["done"] }, done: {} },
  });
  const jobs = await latchkey.machine(job);
  const events: readonly EventOf<typeof job>[] = ["job.accepted", "job.done", "job.updated", "job.removed"];
  await jobs.react("r", () => {}, { on: events });
  // @ts-expect-error an event of another machine
  await jobs.react("r", () => {}, { on: ["agent.failed"] });
  // @ts-expect-error an event that the machine does not have
  const unknown: EventOf<typeof job> = "job.queued";
  takesText(unknown);
  const unnamed: Entities<AgentState> = agents;
  await unnamed.react("r", takes, { on: ["whatever the server has"] });
  const inline = await latchkey.machine({ name: "x", version: 1, initial: "a", states: { a: {} } });
  // @ts-expect-error a misspelt event of a machine that is not a variable
  await inline.react("r", () => {}, { on: ["x.b"] });
  await inline.react("r", () => {}, { on: ["x.a"] });

  const anyMachine = await latchkey.installed("order");
  await anyMachine?.transition("o1", "whatever it has", { ifState: "whatever else it has" });
  await anyMachine?.react("r", () => {}, { on: ["whatever.it has"] });
}

interface OrderFields {
  customer: string;
  placedAt?: Date;
  lines: { sku: string; count: number }[];
  paidAt?: string;
}

class Placed {
  readonly customer = "ann";
  readonly placedAt = new Date(0);
  get total(): number {
    return 1;
  }
}

export async function literalMachine(): Promise<void> {
  const literal = {
    name: "order",
    version: 1,
    initial: "open",
    states: { open: { to: ["paid"] }, paid: { event: "order.settled" } },
  } as const;
  const orders: Entities<typeof literal, OrderFields> = await latchkey.machine(literal);
  await orders.transition("o1", "paid");
  await orders.react("r", () => {}, { on: ["order.open", "order.settled", "order.updated"] });
  // @ts-expect-error a state whose event has another name
  await orders.react("r", () => {}, { on: ["order.paid"] });
  // @ts-expect-error entities of other states
  const others: Entities<"open", OrderFields> = orders;
  takesText(others.name);
}

export async function typedFields(): Promise<void> {
  const order = defineMachine({
    name: "order",
    version: 1,
    initial: "open",
    states: { open: { to: ["paid"] }, paid: { stamp: "paidAt" } },
  });
  const orders: Entities<typeof order, OrderFields> = await latchkey.machine(order);
  const alias: EntitiesOf<typeof order, OrderFields> = orders;
  const untyped: Entities<"open" | "paid"> = await latchkey.machine(order);
  await untyped.create("o1", new Placed());
  const placed: OrderFields = { customer: "ann", lines: [] };
  await untyped.create("o1", placed);
  await untyped.patch("o1", { set: placed });

  await alias.create("o1", placed);
  await orders.create("o1", new Placed());
  await orders.create("o1", { customer: "ann", placedAt: new Date() });
  await orders.create("o1", { placedAt: "2026-01-31T08:30:00.000Z", lines: undefined });
  // @ts-expect-error a misspelt field
  await orders.create("o1", { custmer: "ann" });
  // @ts-expect-error a field of another type
  await orders.create("o1", { customer: 7 });
  // @ts-expect-error a misspelt field of a patch
  await orders.patch("o1", { set: { custmer: "ann" } });
  // @ts-expect-error a field of another type in a transition
  await orders.transition("o1", "paid", { set: { lines: "none" } });
  // @ts-expect-error a misspelt state
  await orders.transition("o1", "piad");
  await orders.patch("o1", { unset: ["customer", "placedAt"] });
  // @ts-expect-error a misspelt field to remove
  await orders.patch("o1", { unset: ["custmer"] });

  const read = await orders.get("o1");
  const customer: string | undefined = read?.customer;
  const placedAt: string | undefined = read?.placedAt;
  const count: number | undefined = read?.lines?.[0]?.count;
  const paidAt: string | undefined = read?.paidAt;
  // @ts-expect-error an own field may be absent
  takesText(read?.customer);
  // @ts-expect-error a date is read as text
  read?.placedAt?.getTime();
  // @ts-expect-error a misspelt field of an entity
  read?.custmer;
  for (const text of [customer, placedAt, paidAt, String(count)]) takesText(text ?? "");

  for await (const each of orders.list({ state: "open" })) takesText(each.customer ?? each.id);
  for await (const change of orders.events()) takesText(change.customer ?? change.type);
  for (const each of (await orders.listPage()).items) takesText(each.customer ?? each.state);
  await orders.waitFor("o1", ({ lines }) => lines?.length === 2);
  await orders.subscribe(({ customer }) => takesText(customer ?? ""));
  await orders.follow(({ customer }) => takesText(customer ?? ""));
  await orders.react("r", ({ customer, type }) => takesText(customer ?? type), { on: ["order.paid"] });
  // @ts-expect-error a misspelt event
  await orders.react("r", () => {}, { on: ["order.piad"] });
  const result = await orders.tryPatch("o1", { set: { customer: "bob" } });
  takesText((result.ok ? result.document : result.current)?.customer ?? "");
  const hold = await orders.hold("o1");
  await hold.change((ifVersion) => orders.patch("o1", { set: { customer: "bob" }, ifVersion }));
  await hold.change((ifVersion) => orders.tryPatch("o1", { set: { customer: "bob" }, ifVersion }));
  if (read === null) return;
  await orders.restore("o2", read.state, { version: read.version, fields: ownFields(read) });
  const own: { readonly customer?: string } = ownFields(read);
  takesText(own.customer ?? "");
  const any: Record<string, JsonValue> = ownFields((await untyped.get("o1")) ?? (await untyped.create("o1")));
  takesText(String(any.customer));
}

/** The type of the replaced service: mutable, with metadata of any kind. */
interface ReplacedAgent {
  agentId: string;
  taskId: string;
  status: "spawning" | "running" | "completed" | "failed" | "killed";
  startedAt?: string;
  completedAt?: string;
  error?: string;
  metadata?: Record<string, unknown>;
}

interface ReplacedService {
  registerSpawnedAgent(id: string, task: string, metadata?: Record<string, unknown>): Promise<ReplacedAgent>;
  transitionToRunning(id: string): Promise<ReplacedAgent>;
  transitionToCompleted(id: string): Promise<ReplacedAgent>;
  transitionToFailed(id: string, error: string): Promise<ReplacedAgent>;
  transitionToKilled(id: string): Promise<ReplacedAgent>;
  getAgentLifecycleState(id: string): Promise<ReplacedAgent | null>;
  listAgentLifecycleStates(): Promise<ReplacedAgent[]>;
}

export async function lifecycleTypes(lifecycle: AgentLifecycle): Promise<void> {
  const service: ReplacedService = lifecycle;
  const agent: ReplacedAgent = await service.transitionToFailed("a1", "boom");
  agent.error = "noted";
  await lifecycle.registerSpawnedAgent("a1", "t1", new Placed(), { actor: "ann", op: "op-1" });
  // @ts-expect-error an option of transitions
  await lifecycle.registerSpawnedAgent("a1", "t1", {}, { ifVersion: 1 });
  // @ts-expect-error a misspelt option
  await lifecycle.transitionToRunning("a1", { reasn: "by hand" });
}

function takesText(_text: string): void {}
function takes(_change: Change<AgentState>): void {}
