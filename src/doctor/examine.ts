import { replyCode } from "../valkey/failure.js";
import type { CheckResult, Outcome } from "./check-result.js";
import { clock, latency } from "./checks/clock.js";
import { clusterKeys } from "./checks/cluster-keys.js";
import { clusterMoves } from "./checks/cluster-moves.js";
import { clusterNodes } from "./checks/cluster-nodes.js";
import { clusterPartitions } from "./checks/cluster-partitions.js";
import { clusterSeeds } from "./checks/cluster-seeds.js";
import { clusterSlots, fullCoverage } from "./checks/cluster-slots.js";
import { clusterVersions } from "./checks/cluster-versions.js";
import { dates } from "./checks/dates.js";
import { defaultUser } from "./checks/default-user.js";
import { knownDefects } from "./checks/defects.js";
import { encryption } from "./checks/encryption.js";
import { eventLogs } from "./checks/event-logs.js";
import { evictionPolicy, memoryHeadroom } from "./checks/memory.js";
import { machines, namespace } from "./checks/namespace.js";
import { permissions } from "./checks/permissions.js";
import { appendFsync, appendOnly, diskWrites, fsyncOnRewrite, loadTruncated } from "./checks/persistence.js";
import { reactionDelays } from "./checks/reaction-delays.js";
import { replicas, role } from "./checks/replication.js";
import { BUSY, functionLibrary, runningScript, scriptsPresent } from "./checks/scripts.js";
import { serverProduct } from "./checks/server-product.js";
import type { DoctorContext } from "./context.js";
import { Failures } from "./failures.js";
import { mergeResults } from "./merge.js";
import { CheckDeniedError } from "./query.js";

type Check = (context: DoctorContext) => Promise<Outcome | readonly CheckResult[]>;

/** Lists every check by the id of its result, or by the id that a denied check reports. */
const CHECKS: Readonly<Record<string, Check>> = {
  server: serverProduct,
  busy: runningScript,
  tls: encryption,
  "cluster/slots": clusterSlots,
  "cluster/nodes": clusterNodes,
  "cluster/versions": clusterVersions,
  "cluster/moves": clusterMoves,
  "cluster/keys": clusterKeys,
  "cluster/seeds": clusterSeeds,
  "cluster/partitions": clusterPartitions,
  "cluster-require-full-coverage": fullCoverage,
  role,
  replicas,
  appendonly: appendOnly,
  appendfsync: appendFsync,
  "no-appendfsync-on-rewrite": fsyncOnRewrite,
  "aof-load-truncated": loadTruncated,
  disk: diskWrites,
  "default-user": defaultUser,
  "maxmemory-policy": evictionPolicy,
  maxmemory: memoryHeadroom,
  defects: knownDefects,
  permissions,
  clock,
  latency,
  namespace,
  machines,
  dates,
  "event-logs": eventLogs,
  "reaction-delays": reactionDelays,
  scripts: scriptsPresent,
  functions: functionLibrary,
};

/** Checks of the namespace and of the cluster as a whole. All others concern one server. */
const WHOLE = new Set([
  ...[
    "cluster/slots",
    "cluster/nodes",
    "cluster/versions",
    "cluster/moves",
    "cluster/keys",
    "cluster/seeds",
    "cluster/partitions",
  ],
  ...["namespace", "machines", "dates", "event-logs", "reaction-delays"],
]);

/** Checks of settings, which every node of a cluster needs: a failover makes a replica a primary. All others concern primaries. */
const SETTINGS = new Set([
  ...["defects", "appendonly", "appendfsync", "no-appendfsync-on-rewrite", "aof-load-truncated", "disk"],
  ...["default-user", "maxmemory-policy", "maxmemory", "cluster-require-full-coverage"],
]);

/**
 * Checks everything that latchkey depends on, at every server, and changes nothing. A check that the user lacks
 * permissions for results in an `info` that names the permission.
 *
 * @throws the client's error if the connection is lost meanwhile
 */
export async function examine(context: DoctorContext): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  const busy = new Set<DoctorContext>();
  const failures = new Failures();
  const { isCluster } = context.connection;
  const members = await context.members();
  for (const [id, check] of Object.entries(CHECKS)) {
    const group = SETTINGS.has(id) ? await context.nodes() : await context.servers();
    const contexts = WHOLE.has(id) ? [context] : group.filter((one) => !busy.has(one));
    const all = await Promise.all(
      contexts.map(async (one) => ({
        ...{ one, address: one.connection.address },
        results: await resultsOf(id, check, one, isCluster, (error) =>
          failures.add(id, error, one, isCluster),
        ),
      })),
    );
    const askedCount = WHOLE.has(id) ? 1 : group.length;
    const away = WHOLE.has(id) ? 0 : members.filter(({ context: own }) => own === undefined).length;
    results.push(...mergeResults(all, askedCount, askedCount + away));
    // A server that runs a slow script replies BUSY to all further checks too.
    for (const { one, results: own } of all) if (own.includes(BUSY)) busy.add(one);
    if (busy.has(context) || (await context.servers()).every((server) => busy.has(server))) break;
  }
  return [...results, ...failures.results(members)];
}

async function resultsOf(
  id: string,
  check: Check,
  context: DoctorContext,
  isCluster: boolean,
  onFailure: (error: unknown) => void,
): Promise<readonly CheckResult[]> {
  try {
    const outcome = await check(context);
    return "level" in outcome ? [{ id, ...outcome }] : outcome;
  } catch (error) {
    if (error instanceof CheckDeniedError) return [denied(id, error, isCluster)];
    if (replyCode(error) === "BUSY") return [BUSY];
    onFailure(error);
    return [];
  }
}

/** Advises to run the doctor as another user, because this one may be meant for less. */
function denied(id: string, { message, permission }: CheckDeniedError, isCluster: boolean): CheckResult {
  const line = `latchkey acl --role operator${isCluster ? " --cluster" : ""}`;
  const fix = permission === undefined ? {} : { fix: line, permission };
  return { id, level: "info", status: message, meaning: "not checked", ...fix };
}
