import { countText } from "../../contract/count-text.js";
import { SLOTS, slotOf } from "../../valkey/cluster/slots.js";
import { isNode, type View } from "../../valkey/cluster/view.js";
import { metaKey } from "../../valkey/keys.js";
import { type CheckResult, fail, info, type Outcome, ok, warn } from "../check-result.js";
import { fixCommand } from "../cluster-fix.js";
import type { DoctorContext } from "../context.js";
import { combineReports, isDead, type NodeState } from "../node-states.js";
import { unlessDenied } from "../query.js";

/** Setting that stops all slots if one has no primary. */
const COVERAGE = "cluster-require-full-coverage";

/** Consequence of the loss of the facts of the namespace. */
const NOTHING_STARTS =
  ". One of these slots has the facts of the namespace, so programs that run go on, and no program or command can start";

/** Describes the slots of a cluster. */
export interface SlotFacts {
  /** The slots as each connected server reports them. */
  readonly views: readonly { readonly from: string; readonly view: View }[];
  /** Empty if the user lacks a permission. */
  readonly states: readonly NodeState[];
  /** True if a slot without a primary stops all others too; undefined if the user lacks a permission. */
  readonly needsAll: boolean | undefined;
  /** The slot of the facts of the namespace. */
  readonly home: number;
}

/** Checks that the nodes of a cluster serve all slots. */
export async function clusterSlots(context: DoctorContext): Promise<CheckResult[]> {
  if (!context.connection.isCluster) return [];
  const states = combineReports((await unlessDenied(context.reports())) ?? []);
  const settings = await Promise.all(
    (await context.servers()).map(async (server) => unlessDenied(server.config())),
  );
  const home = slotOf(metaKey(context.location.namespace));
  const values = settings.flatMap((config) => config?.get(COVERAGE) ?? []);
  const needsAll = values.length === 0 ? undefined : values.includes("yes");
  return [{ id: "cluster/slots", ...judgeSlots({ views: await context.views(), states, needsAll, home }) }];
}

/** Returns the result for the slots of a cluster. */
export function judgeSlots({ views, states, needsAll, home }: SlotFacts): Outcome {
  const missing = Math.max(
    ...views.map(({ view }) => view.map.owners.filter((one) => one === undefined).length),
  );
  const primaries = states.filter(({ slots }) => slots > 0);
  // If most primaries are lost, the others cannot agree that one has failed.
  const dead = primaries.filter((node) => isDead(node) || isSilent(node, views.length));
  const working = primaries.length - dead.length;
  const needed = Math.floor(primaries.length / 2) + 1;
  const isMinority = dead.length > 0 && working < needed;
  const stopped = views.filter(({ view }) => !view.isOk).map(({ from }) => from);
  if (missing === 0 && dead.length === 0 && stopped.length === 0) {
    const count = Math.max(...views.map(({ view }) => view.map.primaries.size));
    return ok(
      `${countText(count, "primary", "primaries")} serve all ${SLOTS} slots`,
      "every partition has a server",
    );
  }
  const where = stopped.length === views.length ? "" : ` at ${stopped.join(", ")}`;
  const facts = [
    ...dead.map(
      (node) =>
        `${node.name} ${isDead(node) ? "is dead" : "does not reply"}, the primary of ${countText(node.slots, "slot")}`,
    ),
    ...(isMinority
      ? [`primaries that work: ${working} of ${primaries.length}; a failover needs ${needed}`]
      : []),
    ...(missing > 0 ? [`${countText(missing, "slot")} without a primary`] : []),
    ...(stopped.length > 0 ? [`cluster_state is fail${where}`] : []),
  ];
  const isLost = missing > 0 || dead.length > 0;
  const coverage = isLost && needsAll === true ? ", because cluster-require-full-coverage is yes" : "";
  const cause = isMinority ? ", because most primaries do not reply" : coverage;
  const isHomeLost = views.every(({ view: { map } }) => {
    const owner = map.owners[home];
    return owner === undefined || dead.some(({ name }) => name === owner);
  });
  const meaning =
    stopped.length > 0
      ? `all reads and changes${where} are rejected with CLUSTERDOWN${cause}`
      : `reads and changes of the entities of these slots are rejected; those of the others are not${isHomeLost ? NOTHING_STARTS : ""}`;
  const [alive = ""] = views.map(({ from }) => from);
  const fixes = [
    ...dead.map((node) => revival(node, states, isMinority)),
    ...(isMinority
      ? [`as soon as ${needed} primaries work, replicas of the others take over by themselves`]
      : []),
    ...(missing > 0
      ? [
          `start the node that held them, if it still has its data; otherwise ${fixCommand(alive, states)} gives them to a primary, without their entities`,
        ]
      : []),
  ];
  const network = "check the network between the nodes, and that most primaries run";
  return fail(facts.join("; "), meaning, fixes.length > 0 ? fixes.join("; ") : network);
}

/** Returns true for a node from which all nodes that were asked hear nothing. */
function isSilent({ trouble }: NodeState, asked: number): boolean {
  return trouble?.flag === "fail?" && trouble.reporters.length >= asked;
}

/** Returns how the slots of a dead primary are served again. */
function revival({ id, name }: NodeState, states: readonly NodeState[], isMinority: boolean): string {
  const replicas = states.filter((node) => node.primary === id);
  const able = replicas.filter(({ trouble }) => trouble === undefined).map((node) => node.name);
  if (able.length > 0)
    return (
      `start ${name} again${isMinority ? ". If that is not possible" : ", or wait until a replica takes over. If neither is possible"}, run ` +
      `CLUSTER FAILOVER TAKEOVER at its replica ${able.join(" or ")}. Acknowledged changes that the replica had not ` +
      "received are then lost"
    );
  const others = replicas.map((node) => node.name).join(" or ");
  return others === ""
    ? `start ${name} again, with its data: it has no replica`
    : `start ${name} again, with its data, or its replica ${others}`;
}

/** Checks that a node of a cluster goes on without the slots of others. */
export async function fullCoverage(context: DoctorContext): Promise<CheckResult[]> {
  const status = (await context.config()).get(COVERAGE);
  if (status === undefined || !(await isNode(context.connection.client))) return [];
  if (status === "no")
    return [{ id: COVERAGE, ...ok(status, "a primary that fails stops only its own partitions") }];
  const { map } = (await unlessDenied(context.view())) ?? {};
  const isSafe = map !== undefined && [...map.replicas.values()].every(({ length }) => length > 0);
  const fix = `CONFIG SET ${COVERAGE} no, on each node, and in its configuration file (CONFIG REWRITE)`;
  return [
    isSafe
      ? {
          id: COVERAGE,
          ...info(status, "a primary that fails stops all partitions until its replica takes over", fix),
        }
      : { id: COVERAGE, ...warn(status, "a primary that fails without a replica stops all partitions", fix) },
  ];
}
