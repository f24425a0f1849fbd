/** A replica of the demo's orchestrator: the program of a process of its own, started by fleet.ts. */
import { Valkey } from "iovalkey";
import { type Change, connect, type Latchkey } from "latchkey";
import { plainUrl } from "./address.js";
import { leasedAgent } from "./lease.js";
import { type Lifecycle, latchkeyLifecycle, replacedLifecycle } from "./lifecycle.js";
import type { FromReplica, ToReplica } from "./messages.js";
import { Orchestrator } from "./orchestrator.js";
import { ReplacedService } from "./replaced-service.js";

/** Interval between two sweeps. Shorter than usual, because the demo waits for the leases. */
const SWEEP_INTERVAL = "200ms";

type Start = ToReplica & { readonly type: "start" };

/** Creates the lifecycle when the race begins. */
type Begin = (leaseMs: number) => Promise<Lifecycle>;

let name = "";
let connected: Promise<Begin> | undefined;
let replica: Promise<Orchestrator> | undefined;

function send(message: FromReplica): void {
  // If nobody listens any more, "disconnect" reports it.
  process.send?.(message, undefined, undefined, () => {});
}

function fail(error: unknown): void {
  send({ type: "failure", message: error instanceof Error ? error.message : String(error) });
}

async function start(order: Start): Promise<Begin> {
  name = order.name;
  const begin = await (order.way === "latchkey" ? startLatchkey(order) : startReplaced(order));
  send({ type: "ready" });
  return begin;
}

async function startLatchkey({ credentials, calls, namespace }: Start): Promise<Begin> {
  const connectionName = `latchkey-demo-${name}`;
  const latchkey = await connect({ ...credentials, ...calls, namespace, connectionName });
  return async (leaseMs) => beginLatchkey(latchkey, leaseMs);
}

async function beginLatchkey(latchkey: Latchkey, leaseMs: number): Promise<Lifecycle> {
  const agents = await latchkey.machine(leasedAgent(leaseMs));
  const onChange = ({ id, version }: Change): void => send({ type: "expiry", expiry: { id, version } });
  agents.sweep({ interval: SWEEP_INTERVAL, onChange }).catch(fail);
  return latchkeyLifecycle(name, agents);
}

async function startReplaced({ credentials: { url, password }, namespace }: Start): Promise<Begin> {
  const valkey = new Valkey(plainUrl(url), {
    lazyConnect: true,
    ...(password !== undefined && { password }),
  });
  valkey.on("error", fail);
  await valkey.connect();
  const service = new ReplacedService(valkey, { prefix: namespace });
  return async () => replacedLifecycle(service);
}

process.on("message", (message) => {
  const order = message as ToReplica;
  if (order.type === "start") {
    connected = start(order);
    connected.catch(fail);
    return;
  }
  if (order.type === "begin") {
    replica = connected?.then(
      async (begin) => new Orchestrator(name, await begin(order.leaseMs), send, fail),
    );
    replica?.catch(fail);
    return;
  }
  replica?.then(
    (ready) => ready.receive(order.fact),
    () => {},
  );
});

// The demo has ended, or ends this replica. Nothing that it started outlives it.
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
