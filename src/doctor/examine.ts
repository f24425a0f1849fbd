import { replyCode } from "../valkey/failure.js";
import { BUSY, busy } from "./checks/busy.js";
import { clock, latency } from "./checks/clock.js";
import { knownDefects } from "./checks/defects.js";
import { fsyncRight } from "./checks/fsync-right.js";
import { evictionPolicy, memoryHeadroom } from "./checks/memory.js";
import { machines, namespace } from "./checks/namespace.js";
import { appendFsync, appendOnly, diskWrites, fsyncOnRewrite, loadTruncated } from "./checks/persistence.js";
import { replayUser } from "./checks/replay-user.js";
import { replicas, role } from "./checks/replication.js";
import { rights } from "./checks/rights.js";
import { functionLibrary, scriptsPresent } from "./checks/scripts.js";
import { serverKind } from "./checks/server-kind.js";
import type { DoctorContext } from "./context.js";
import type { Finding } from "./finding.js";
import { NotAllowed } from "./not-allowed.js";

type Check = (context: DoctorContext) => Promise<Finding | readonly Finding[]>;

/** Every check, by the name that stands in place of a finding where the check may not look. */
const CHECKS: Readonly<Record<string, Check>> = {
  server: serverKind,
  defects: knownDefects,
  busy,
  role,
  replicas,
  appendonly: appendOnly,
  appendfsync: appendFsync,
  "no-appendfsync-on-rewrite": fsyncOnRewrite,
  "aof-load-truncated": loadTruncated,
  disk: diskWrites,
  "default-user": replayUser,
  "maxmemory-policy": evictionPolicy,
  maxmemory: memoryHeadroom,
  rights,
  "rights/fsync": fsyncRight,
  clock,
  latency,
  namespace,
  machines,
  scripts: scriptsPresent,
  functions: functionLibrary,
};

/**
 * Looks at everything that latchkey depends on, and changes nothing. A check that this user may not make becomes a
 * note that says which permission it needs.
 *
 * @throws the client's error where the connection is lost meanwhile.
 */
export async function examine(context: DoctorContext): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [id, check] of Object.entries(CHECKS)) {
    try {
      findings.push(...[await check(context)].flat());
    } catch (error) {
      if (error instanceof NotAllowed) findings.push(notAllowed(id, error, context.user));
      else if (replyCode(error) === "BUSY") return [...findings, BUSY];
      else if (replyCode(error) === "") throw error;
      else findings.push(refused(id, replyCode(error)));
    }
  }
  return findings;
}

function notAllowed(id: string, { message, needs }: NotAllowed, user: string): Finding {
  const means = "this was not checked";
  return {
    id,
    level: "note",
    seen: message,
    means,
    ...(needs !== undefined && { mend: `ACL SETUSER ${user} ${needs}`, needs }),
  };
}

function refused(id: string, code: string): Finding {
  const means = "this was not checked";
  return { id, level: "warn", seen: `the server answered with ${code}`, means, mend: "run the doctor again" };
}
