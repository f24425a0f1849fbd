// Checked by the compiler alone, from machine.types.test.ts: each line below an "expect-error" must not compile.
import type { AgentState, Change, Entities, EventOf, Latchkey, Replay, Snapshot } from "../src/index.js";
import { agent, defineMachine } from "../src/index.js";

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
  // @ts-expect-error a value that JSON cannot hold
  await agents.create("a1", { at: new Date() });
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

function takesText(_text: string): void {}
function takes(_change: Change<AgentState>): void {}
