import { countText } from "../contract/count-text.js";
import { isOffline, replyCode, safeMessage } from "../valkey/failure.js";
import { type CheckResult, warn } from "./check-result.js";
import type { DoctorContext } from "./context.js";
import { type Member, reasonText } from "./members.js";

/** A check without a result, and the error that prevented it. */
interface Failure {
  readonly id: string;
  readonly error: unknown;
  /** The server that was asked; undefined if it was the cluster as a whole. */
  readonly server: string | undefined;
}

/** Collects the checks without a result, of which one line for each cause is reported. */
export class Failures {
  readonly #all: Failure[] = [];

  /** @throws the error if it means that the only server is lost */
  add(id: string, error: unknown, { connection, name }: DoctorContext, isCluster: boolean): void {
    if (replyCode(error) === "" && !isCluster) throw error;
    this.#all.push({ id, error, server: connection.isCluster ? undefined : name });
  }

  /** Returns one result for each cause. It names the checks, and the nodes that do not reply. */
  results(members: readonly Member<DoctorContext>[]): CheckResult[] {
    const away = members.flatMap(({ name, isPrimary, error }) =>
      isPrimary && error !== undefined ? [`${name}: ${reasonText(error)}`] : [],
    );
    const byCause = new Map<string, { readonly fix: string; readonly ids: Set<string> }>();
    for (const { id, error, server } of this.#all) {
      const [cause, fix] = explain(error, server, away);
      const same = byCause.get(cause) ?? { fix, ids: new Set() };
      same.ids.add(id);
      byCause.set(cause, same);
    }
    return [...byCause].map(([cause, { fix, ids }]) => ({
      id: "unchecked",
      ...warn(cause, `${countText(ids.size, "check")} not possible: ${[...ids].join(", ")}`, fix),
    }));
  }
}

/** Fixes of error replies. */
const FIXES: Readonly<Record<string, string>> = {
  WRONGTYPE: "latchkey fsck",
  CLUSTERDOWN: "repair the cluster first, see cluster/slots",
  TRYAGAIN: "end the move first, see cluster/moves",
  ASK: "end the move first, see cluster/moves",
};

/** Returns what prevented a check, and the fix. */
function explain(
  error: unknown,
  server: string | undefined,
  away: readonly string[],
): readonly [cause: string, fix: string] {
  const code = replyCode(error);
  const again = "run the doctor again";
  if (code !== "") return [`${server ?? "the cluster"} replies with ${code}`, FIXES[code] ?? again];
  if (server !== undefined) return [`${server} does not reply: ${safeMessage(error)}`, again];
  if (away.length > 0)
    return [
      `waits for ${away.join("; ")}`,
      "repair these nodes first, see cluster/nodes; then run the doctor again",
    ];
  if (isOffline(error)) return ["waits for slots that no connected node holds", "see cluster/slots"];
  return [`a node does not reply: ${safeMessage(error)}`, again];
}
