import type { Valkey } from "iovalkey";
import { countText } from "../../contract/count-text.js";
import { slotOf } from "../../valkey/cluster/slots.js";
import { readView } from "../../valkey/cluster/view.js";
import { allPartitionKeys, metaKey } from "../../valkey/keys.js";
import { type CheckResult, fail, type Outcome, ok } from "../check-result.js";
import { afterRevival, fixCommand } from "../cluster-fix.js";
import { type DoctorContext, pairs } from "../context.js";
import { combineReports, type NodeState } from "../node-states.js";
import { CheckDeniedError, query } from "../query.js";
import { movesIn, rangesText } from "./cluster-moves.js";
import { readNamespace } from "./namespace.js";

/** States of an atomic move that has ended. */
const ENDED = ["success", "cancelled", "failed"];

/** Keys on a node that does not hold their slots. */
interface Strays {
  readonly node: string;
  /** The node that holds the slots. */
  readonly owner: string;
  readonly slots: readonly number[];
  readonly keys: number;
}

/** Finds keys of the namespace on primaries that do not hold their slots, for example after CLUSTER SETSLOT … STABLE in a move. */
export async function clusterKeys(context: DoctorContext): Promise<CheckResult[]> {
  const { connection, location } = context;
  const { partitions } = connection.isCluster ? await readNamespace(context) : {};
  if (partitions === undefined) return [];
  const reports = await context.allReports();
  const states = combineReports(reports);
  const moving = new Set(movesIn(reports).flatMap(({ slots, only }) => (only === undefined ? slots : [])));
  const keys = [
    metaKey(location.namespace),
    ...allPartitionKeys({ ...location, partitions }).map(({ machine }) => machine),
  ];
  const slots = [...new Set(keys.map(slotOf))].filter((slot) => !moving.has(slot));
  const primaries = (await context.nodes()).filter(({ name }) =>
    states.some((state) => state.name === name && state.primary === undefined),
  );
  const strays = await Promise.all(primaries.map((node) => straysOf(node, slots)));
  const outcomes = strays.flat().map((one) => judge(one, states));
  const none = ok("all keys are on the nodes that hold their slots", "each entity can be found");
  return (outcomes.length > 0 ? outcomes : [none]).map((outcome) => ({ id: "cluster/keys", ...outcome }));
}

/** Counts the keys of slots that a node has and, by its own view, does not hold. */
async function straysOf(
  { name, connection: { client } }: DoctorContext,
  slots: readonly number[],
): Promise<readonly Strays[]> {
  const { map } = await query("cluster|slots", () => readView(client));
  const byOwner = new Map<string, { readonly slots: number[]; keys: number }>();
  await Promise.all(
    slots.map(async (slot) => {
      const owner = map.owners[slot];
      if (owner === undefined || owner === name) return;
      const count = await query("cluster|countkeysinslot", () =>
        client.call("CLUSTER", "COUNTKEYSINSLOT", slot),
      );
      if (!(Number(count) > 0)) return;
      const strays = byOwner.get(owner) ?? { slots: [], keys: 0 };
      strays.slots.push(slot);
      strays.keys += Number(count);
      byOwner.set(owner, strays);
    }),
  );
  if (byOwner.size === 0 || (await isReceiving(client))) return [];
  return [...byOwner].map(([owner, strays]) => ({ node: name, owner, ...strays }));
}

/** Returns true if a node receives slots in an atomic move of Valkey 9, which marks no slot. It counts the copied keys already. */
async function isReceiving(client: Valkey): Promise<boolean> {
  const jobs = await query("cluster|getslotmigrations", () =>
    client.call("CLUSTER", "GETSLOTMIGRATIONS"),
  ).catch((error: unknown) => {
    if (error instanceof CheckDeniedError && error.permission === undefined) return []; // an older server
    throw error;
  });
  return (jobs as readonly unknown[]).some((job) => !ENDED.includes(pairs(job).get("state") ?? ""));
}

function judge({ node, owner, slots, keys }: Strays, states: readonly NodeState[]): Outcome {
  const [slot] = slots;
  const id = states.find(({ name }) => name === owner)?.id ?? `<ID of ${owner}>`;
  const each = slots.length === 1 ? "" : ", and the same for each of these slots";
  const status = `${countText(keys, "key")} on ${node}, of slots ${rangesText(slots)}, which ${owner} holds`;
  const meaning =
    "entities of this namespace are missing for all clients, which may create them again; a move was ended halfway";
  const fix =
    `CLUSTER SETSLOT ${slot} IMPORTING ${id} at ${node}${each}, then ${fixCommand(owner, states)}, which moves the keys. ` +
    "It stops at a key that both nodes have";
  return fail(status, meaning, afterRevival(fix, states));
}
