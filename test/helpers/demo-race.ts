import type { Ending, Evidence } from "../../demo/evidence.js";
import type { Call } from "../../demo/messages.js";
import { agent, compileMachine } from "../../src/index.js";

type Document = Record<string, unknown> & {
  id: string;
  state: string;
  version: number;
  op: string | undefined;
};
type ReplicaCall = Call & { replica: string };

/**
 * Evidence of a race of three replicas over three agents: a1 completes, a2 is killed, and r3 is killed, so that the lease of
 * its a3 expires. Tests change parts of it.
 */
export interface Race {
  documents: Document[];
  published: Document[];
  finals: Map<string, Record<string, unknown> | null>;
  counts: Record<string, number>;
  calls: ReplicaCall[];
  expiries: { replica: string; id: string; version: number }[];
  endings: Map<string, Ending>;
}

const IDS = ["a1", "a2", "a3"];
const ENDS: Record<string, string> = { a1: "completed", a2: "killed", a3: "failed" };
const PIDS: Record<string, number> = { a1: 101, a2: 102, a3: 103 };
/** Fields by which a sweeper records an expired lease. */
export const BY_LEASE = {
  actor: "latchkey",
  reason: "lease of 1s expired at 2026-11-22T10:00:02.000Z",
  op: undefined,
};

/** Makes a correct race. */
export function goodRace(): Race {
  const documents = IDS.flatMap((id) => historyOf(id, ENDS[id] ?? ""));
  Object.assign(at(documents, "a3", 2), { op: "r3:running" });
  const tried = documents.filter(({ id, version }) => !(id === "a3" && version === 3));
  const calls = tried.flatMap(({ id, state, version, op }) =>
    (id === "a3" ? ["r1", "r2", "r3"] : ["r1", "r2"]).map((replica) => {
      const outcome = op?.startsWith(replica) ? "OK" : version === 1 ? "EXISTS" : "ILLEGAL";
      return { replica, id, to: state, outcome, version, state };
    }),
  );
  const finals = new Map(
    IDS.map((id) => {
      const last = Object.entries(at(documents, id, 3));
      const gone = ["type", "from", "op", "actor", "reason"];
      return [id, Object.fromEntries(last.filter(([field]) => !gone.includes(field)))];
    }),
  );
  const endings = new Map<string, Ending>([
    ["a1", { pid: 101, exit: { kind: "code", code: 0, output: "" }, killOrdered: false }],
    ["a2", { pid: 102, exit: { kind: "signal", signal: "SIGTERM" }, killOrdered: true }],
  ]);
  const counts = { spawning: 0, running: 0, completed: 1, failed: 1, killed: 1 };
  const expiries = [{ replica: "r1", id: "a3", version: 3 }];
  return { documents, published: structuredClone(documents), finals, counts, calls, expiries, endings };
}

function historyOf(id: string, end: string): Document[] {
  return ["spawning", "running", end].map((state, at) => ({
    type: `agent.${state}`,
    machine: "agent",
    id,
    from: [null, "spawning", "running"][at],
    state,
    version: at + 1,
    timestamp: `2026-11-22T10:00:0${at}.000Z`,
    actor: state === "killed" ? "operator" : "r1",
    ...(state === "killed" && { reason: "SIGTERM: stuck" }),
    op: `${at === 1 ? "r2" : "r1"}:${state}`,
    ...(at > 0 && { pid: PIDS[id] }),
    ...(state === "failed" && BY_LEASE),
  }));
}

/** Makes the evidence of a race. */
export function evidenceOf({ documents, published, ...rest }: Race): Evidence {
  const texts = (list: Document[]): string[] => list.map((document) => JSON.stringify(document));
  const machine = compileMachine(agent());
  const finals = rest.finals as Evidence["finals"];
  const replicas = ["r1", "r2", "r3"];
  const killing = {
    exposed: new Set<string>(),
    replicas,
    killed: "r3",
    orphans: new Set(["a3"]),
    leaseMs: 1000,
  };
  return { ...rest, ...killing, finals, machine, log: texts(documents), published: texts(published) };
}

/** Returns the document of an agent's version in a list. */
export function at(list: Document[], id: string, version: number): Document {
  const found = list.find((one) => one.id === id && one.version === version);
  if (found === undefined) throw new Error(`no ${id} version ${version}`);
  return found;
}

/** Changes a document in the log and in the published texts. */
export function everywhere(race: Race, id: string, version: number, change: Record<string, unknown>): void {
  Object.assign(at(race.documents, id, version), change);
  Object.assign(at(race.published, id, version), change);
}

/** Returns a replica's call for a state of an agent. */
export function call(race: Race, replica: string, id: string, to: string): ReplicaCall {
  const found = race.calls.find((one) => one.replica === replica && one.id === id && one.to === to);
  if (found === undefined) throw new Error(`no call of ${replica} for ${id} to ${to}`);
  return found;
}

/** Removes an item from a list. */
export function remove<T>(list: T[], item: T): void {
  list.splice(list.indexOf(item), 1);
}
