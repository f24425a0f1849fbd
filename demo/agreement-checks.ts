import { isDeepStrictEqual } from "node:util";
import type { Change } from "latchkey";
import { type Check, type Ending, type Evidence, groupBy, type Histories, isBySweeper } from "./evidence.js";

/**
 * Checks that for each agent the same documents were published and logged, byte for byte, in the same order. Documents of a
 * server that was killed may be missing on either side; those on both sides must be in the same order.
 */
export function agreesWithPublished({ log, published, exposed }: Evidence): Check {
  const faults: string[] = [];
  let lost = 0;
  const idOf = (text: string): string => (JSON.parse(text) as Change).id;
  const [logged, received] = [groupBy(log, idOf), groupBy(published, idOf)];
  for (const id of new Set([...logged.keys(), ...received.keys()])) {
    const [texts = [], others = []] = [logged.get(id), received.get(id)];
    const common = texts.filter((text) => others.includes(text));
    const isInOrder = isDeepStrictEqual(
      common,
      others.filter((text) => texts.includes(text)),
    );
    if (exposed.has(id) && isInOrder) lost += texts.length + others.length - 2 * common.length;
    else if (texts.length !== others.length) {
      faults.push(`${id} has ${texts.length} changes in the log, ${others.length} were published`);
    } else if (!isDeepStrictEqual(texts, others)) faults.push(`${id} was published differently from the log`);
  }
  return {
    name: "published",
    text: `log = published: ${published.length} documents, byte for byte and in order${lost === 0 ? "" : `, ${lost} lost in the crash`}`,
    faults,
  };
}

/** Checks that the last logged document of each agent equals the entity on the server. */
export function agreesWithFinals({ finals }: Evidence, { byId }: Histories): Check {
  const faults: string[] = [];
  for (const id of new Set([...finals.keys(), ...byId.keys()])) {
    const final = finals.get(id) ?? null;
    const last = byId.get(id)?.at(-1);
    if (final === null) faults.push(`${id} is in the log, but not on the server`);
    else if (last === undefined) faults.push(`${id} is on the server, but not in the log`);
    else if (!isDeepStrictEqual(snapshotOf(last), final)) {
      faults.push(
        `${id} is ${final.state}, version ${final.version}; its last change has ${last.state}, version ${last.version}, or other fields`,
      );
    }
  }
  return {
    name: "finals",
    text: `log = final states: get returns the last change, for ${finals.size} agents`,
    faults,
  };
}

/** Checks that the index counts as many agents in each state as there are. */
export function agreesWithIndex({ finals, counts }: Evidence): Check {
  const faults: string[] = [];
  const present = [...finals.values()].filter((final) => final !== null);
  const hashes = groupBy(present, ({ state }) => state);
  for (const state of new Set([...Object.keys(counts), ...hashes.keys()])) {
    const [counted, found] = [counts[state] ?? 0, hashes.get(state)?.length ?? 0];
    if (counted !== found) faults.push(`the index counts ${counted} as ${state}, ${found} are`);
  }
  const shown = [...hashes].map(([state, group]) => `${group.length} ${state}`).sort();
  return { name: "index", text: `index = final states: ${shown.join(", ")}`, faults };
}

/** Checks that the recorded end of each agent is the end of its process. */
export function agreesWithExits({ endings, finals }: Evidence, { byId }: Histories): Check {
  const faults: string[] = [];
  const tally = { "exit 0": 0, "other codes": 0, "ended by a signal": 0, "not started": 0 };
  for (const [id, ending] of endings) {
    tally[kindOf(ending)] += 1;
    const last = byId.get(id)?.at(-1);
    if (last !== undefined && isBySweeper(last)) continue; // the check of the leases covers it
    const wrong = last === undefined ? "nothing" : contradiction(ending, last);
    if (wrong !== undefined) faults.push(`${id} ended with ${exitText(ending)}; recorded is ${wrong}`);
    const pid = finals.get(id)?.pid;
    if (pid !== ending.pid) faults.push(`${id} was process ${ending.pid}; recorded is ${pid}`);
  }
  const shown = Object.entries(tally).flatMap(([kind, n]) => (n === 0 ? [] : [`${n} ${kind}`]));
  return { name: "exits", text: `ends are real: ${shown.join(", ") || "none"}`, faults };
}

const CHANGE_FIELDS = new Set(["type", "from", "actor", "reason", "op", "forced"]);

/** Returns the part of a document that stays in the entity. */
function snapshotOf(change: Change): Record<string, unknown> {
  return Object.fromEntries(Object.entries(change).filter(([field]) => !CHANGE_FIELDS.has(field)));
}

function kindOf({ exit }: Ending): "exit 0" | "other codes" | "ended by a signal" | "not started" {
  if (exit.kind === "not-started") return "not started";
  if (exit.kind === "signal") return "ended by a signal";
  return exit.code === 0 ? "exit 0" : "other codes";
}

function exitText({ exit }: Ending): string {
  if (exit.kind === "code") return `exit code ${exit.code}`;
  return exit.kind === "signal" ? exit.signal : "no start";
}

/** Returns the recorded end if it contradicts the end of the process, else undefined. */
function contradiction({ exit, killOrdered }: Ending, last: Change): string | undefined {
  const { state, actor, reason = "" } = last;
  const error = String(last.error ?? "");
  const recorded = [state, actor && `by ${actor}`, reason, error].filter(Boolean).join(", ");
  const agrees = (): boolean => {
    if (exit.kind === "not-started") return state === "failed" && error !== "";
    if (exit.kind === "code") {
      return exit.code === 0
        ? state === "completed"
        : state === "failed" && error.startsWith(`exit ${exit.code}:`);
    }
    if (!killOrdered) return state === "failed" && error === exit.signal;
    return state === "killed" && actor === "operator" && reason.startsWith(`${exit.signal}: `);
  };
  return agrees() ? undefined : recorded;
}
