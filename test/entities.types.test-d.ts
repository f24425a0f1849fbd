// Checked by the compiler alone, from machine.types.test.ts: each line below an "expect-error" must not compile.
import type { AgentState, Change, Entities, Latchkey, Replay, Snapshot } from "../src/index.js";
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
  const anyMachine = await latchkey.installed("order");
  await anyMachine?.transition("o1", "whatever it has", { ifState: "whatever else it has" });
}

function takesText(_text: string): void {}
function takes(_change: Change<AgentState>): void {}
