import type { CheckResult } from "./check-result.js";

/** The results of one check at one server of a cluster. */
export interface ServerResults {
  /** URL of the server. */
  readonly address: string;
  readonly results: readonly CheckResult[];
}

/** Number of different statuses that one result shows, unless they need a fix. */
const SHOWN = 3;

/**
 * Merges the results of one check at several servers of a cluster. Equal results become one, even if their statuses differ, as
 * times do. A result that is not that of all servers names its servers.
 *
 * @param askedCount number of servers that were asked
 * @param total number of servers that exist
 */
export function mergeResults(
  all: readonly ServerResults[],
  askedCount = all.length,
  total = askedCount,
): CheckResult[] {
  if (total === 1) return all.flatMap(({ results }) => results);
  const groups = new Map<string, Group>();
  for (const { address, results } of all) {
    for (const result of results) {
      const { status, ...rest } = result;
      const key = JSON.stringify(rest);
      const group = groups.get(key) ?? { first: result, servers: new Set(), statuses: new Map() };
      group.servers.add(address);
      group.statuses.set(status, [...(group.statuses.get(status) ?? []), address]);
      groups.set(key, group);
    }
  }
  return [...groups.values()].map(({ first, servers, statuses }) => {
    const isOk = first.level === "ok";
    // If a single server was asked, "all" would be wrong.
    const isAll = servers.size === askedCount && (askedCount > 1 || total === 1);
    // If nothing is wrong, nobody needs to know the servers of a status.
    const isNamed = !isOk && statuses.size > 1;
    const texts = [...statuses].map(([status, own]) => (isNamed ? `${status} (${hosts(own)})` : status));
    const shown = ["warn", "fail"].includes(first.level) ? texts.length : SHOWN;
    const rest = texts.length - shown;
    const text = texts.slice(0, shown).join("; ") + (rest > 0 ? `; and ${rest} more` : "");
    if (isAll) return { ...first, status: text };
    const status = isNamed ? text : `${text} (${hosts([...servers])})`;
    return { ...first, status, servers: [...servers] };
  });
}

/** Equal results of several servers. */
interface Group {
  readonly first: CheckResult;
  readonly servers: Set<string>;
  /** The servers of each status. */
  readonly statuses: Map<string, string[]>;
}

function hosts(servers: readonly string[]): string {
  return [...new Set(servers)].map((server) => server.replace(/^.*\/\//, "")).join(", ");
}
