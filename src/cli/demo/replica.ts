/** A replica of the demo's orchestrator: the program of a process of its own, started by fleet.ts. */
import { connect } from "../../latchkey.js";
import { agent } from "../../machine/agent.js";
import type { FromReplica, ToReplica } from "./messages.js";
import { Orchestrator } from "./orchestrator.js";

let replica: Promise<Orchestrator> | undefined;

function tell(message: FromReplica): void {
  // Where nobody listens any more, "disconnect" tells it.
  process.send?.(message, undefined, undefined, () => {});
}

function fail(error: unknown): void {
  tell({ type: "trouble", message: error instanceof Error ? error.message : String(error) });
}

async function start(order: ToReplica & { type: "start" }): Promise<Orchestrator> {
  const { name, credentials, namespace } = order;
  const latchkey = await connect({ ...credentials, namespace, connectionName: `latchkey-demo-${name}` });
  const agents = await latchkey.machine(agent());
  tell({ type: "ready" });
  return new Orchestrator(name, agents, tell, fail);
}

process.on("message", (message) => {
  const order = message as ToReplica;
  if (order.type === "start") {
    replica = start(order);
    replica.catch(fail);
    return;
  }
  // No fact comes before "ready", so this adds no waiting, and keeps the facts in their order.
  replica?.then(
    (ready) => ready.hear(order.fact),
    () => {},
  );
});

// The demo has ended, or wants this to end. Nothing here outlives it.
process.on("disconnect", () => {
  const leave = (): never => process.exit(0);
  if (replica === undefined) leave();
  replica
    ?.then(
      (ready) => ready.killAll(),
      () => {},
    )
    .finally(leave);
});
