import type { HistoryRecord, Outcome, ReturnRecord } from "../history/records.js";
import { type HistoryWriter, monotonicMs, observationOf } from "../history/writer.js";
import type { MachineKeys } from "../machines/keys.js";
import { type OnCopy, wordsOf } from "../proxy/copies.js";

const PROCESS = "copy";
/** Words of a request before the keys. The first key names the entity, and the id follows the keys. */
const BEFORE_KEYS = 3;
const MINUS = 45;

/** A place for the records of one machine. */
export interface CopyTarget {
  readonly keys: MachineKeys;
  readonly history: HistoryWriter;
}

/** Records each delivered copy of a change, and the reply that no client gets, in the history of its machine. */
export function copyRecorder(targets: readonly CopyTarget[]): OnCopy {
  const prefixes = targets.map((target) => ({ target, of: target.keys.prefixes }));
  let count = 0;
  return (request) => {
    const keyCount = Number(request[BEFORE_KEYS - 1]);
    const key = request[BEFORE_KEYS] ?? "";
    const { target } = prefixes.find(({ of }) => of.some((prefix) => key.startsWith(prefix))) ?? {};
    const words = request.slice(BEFORE_KEYS + keyCount);
    const op = optionOf(words, "OP");
    // Other requests change nothing that is judged.
    if (target === undefined || op === undefined || words.includes("DRYRUN")) return () => {};
    const { keys, history } = target;
    const { machine } = keys;
    count += 1;
    const copy = { process: PROCESS, number: count };
    const append = (record: HistoryRecord): void => {
      history.append(record);
      history.flush();
    };
    const [id = ""] = words;
    const notAfter = optionOf(words, "NOTAFTER");
    const limit = notAfter === undefined ? {} : { notAfter: Number(notAfter) };
    append({ kind: "copy", ...copy, at: monotonicMs(), machine, id, op, ...limit });
    return (reply) => append({ kind: "return", ...copy, at: monotonicMs(), ...resultOf(reply) });
  };
}

/** Returns the value of an option. The last one counts, because a field may have the same name. */
function optionOf(words: readonly string[], option: string): string | undefined {
  const at = words.lastIndexOf(option);
  return at < 0 ? undefined : words[at + 1];
}

function resultOf(reply: Buffer): Pick<ReturnRecord, "outcome" | "document" | "position" | "error"> {
  if (reply[0] === MINUS) return { outcome: "NOTEXECUTED", error: reply.toString("utf8", 1).trim() };
  const [outcome, text = "", position = ""] = wordsOf(reply);
  return {
    outcome: outcome as Outcome,
    ...(text !== "" && { document: observationOf(JSON.parse(text)) }),
    ...(outcome === "OK" && position !== "" && { position }),
  };
}
