/** A replica of the demo's orchestrator: the program of a process of its own, started by fleet.ts. */

import type { Change } from "../../contract/document.js";
import { connect, type Latchkey } from "../../latchkey.js";
import { leasedAgent } from "./lease.js";
import type { FromReplica, ToReplica } from "./messages.js";
import { Orchestrator } from "./orchestrator.js";

/** So often a replica looks for what has run out: more often than is usual, since everybody waits for the end. */
const SWEEP_EVERY = "200ms";

let connected: Promise<Latchkey> | undefined;
let replica: Promise<Orchestrator> | undefined;
let name = "";

function tell(message: FromReplica): void {
  // Where nobody listens any more, "disconnect" tells it.
  process.send?.(message, undefined, undefined, () => {});
}

function fail(error: unknown): void {
  tell({ type: "trouble", message: error instanceof Error ? error.message : String(error) });
}

async function start(order: ToReplica & { type: "start" }): Promise<Latchkey> {
  const { credentials, namespace } = order;
  name = order.name;
  const latchkey = await connect({ ...credentials, namespace, connectionName: `latchkey-demo-${name}` });
  tell({ type: "ready" });
  return latchkey;
}

async function begin(latchkey: Latchkey, leaseMs: number): Promise<Orchestrator> {
  const agents = await latchkey.machine(leasedAgent(leaseMs));
  const onChange = ({ id, version }: Change): void => tell({ type: "ran-out", ranOut: { id, version } });
  agents.sweep({ interval: SWEEP_EVERY, onChange }).catch(fail);
  return new Orchestrator(name, agents, tell, fail);
}

process.on("message", (message) => {
  const order = message as ToReplica;
  if (order.type === "start") {
    connected = start(order);
    connected.catch(fail);
    return;
  }
  if (order.type === "begin") {
    replica = connected?.then((latchkey) => begin(latchkey, order.leaseMs));
    replica?.catch(fail);
    return;
  }
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
