import { replyCode } from "../valkey/failure.js";
import type { CheckResult, Outcome } from "./check-result.js";
import { clock, latency } from "./checks/clock.js";
import { dates } from "./checks/dates.js";
import { defaultUser } from "./checks/default-user.js";
import { knownDefects } from "./checks/defects.js";
import { eventLogs } from "./checks/event-logs.js";
import { evictionPolicy, memoryHeadroom } from "./checks/memory.js";
import { machines, namespace } from "./checks/namespace.js";
import { optionalPermissions } from "./checks/optional-permissions.js";
import { permissions } from "./checks/permissions.js";
import { appendFsync, appendOnly, diskWrites, fsyncOnRewrite, loadTruncated } from "./checks/persistence.js";
import { reactionDelays } from "./checks/reaction-delays.js";
import { replicas, role } from "./checks/replication.js";
import { BUSY, functionLibrary, runningScript, scriptsPresent } from "./checks/scripts.js";
import { serverProduct } from "./checks/server-product.js";
import type { DoctorContext } from "./context.js";
import { CheckDeniedError } from "./query.js";

type Check = (context: DoctorContext) => Promise<Outcome | readonly CheckResult[]>;

/** Lists every check by the id of its result, or by the id that a denied check reports. */
const CHECKS: Readonly<Record<string, Check>> = {
  server: serverProduct,
  defects: knownDefects,
  busy: runningScript,
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
  permissions,
  "optional-permissions": optionalPermissions,
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

/**
 * Checks everything that latchkey depends on, and changes nothing. A check that the user lacks permissions for results
 * in an `info` that names the permission.
 *
 * @throws the client's error if the connection is lost meanwhile
 */
export async function examine(context: DoctorContext): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const [id, check] of Object.entries(CHECKS)) {
    try {
      const outcome = await check(context);
      if ("level" in outcome) results.push({ id, ...outcome });
      else results.push(...outcome);
    } catch (error) {
      const code = replyCode(error);
      if (error instanceof CheckDeniedError) results.push(denied(id, error, context.user));
      else if (code === "BUSY") return [...results, BUSY];
      else if (code === "") throw error;
      else {
        const status = `the server replied with ${code}`;
        results.push({ id, level: "warn", status, meaning: "not checked", fix: "run the doctor again" });
      }
    }
  }
  return results;
}

function denied(id: string, { message, permission }: CheckDeniedError, user: string): CheckResult {
  const fix = permission === undefined ? {} : { fix: `ACL SETUSER ${user} ${permission}`, permission };
  return { id, level: "info", status: message, meaning: "not checked", ...fix };
}
