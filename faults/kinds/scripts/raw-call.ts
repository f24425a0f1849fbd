import type { Valkey } from "iovalkey";
import { type Operation as Script, scripts } from "latchkey/lua";
import type { PlannedCall } from "../../client/workload.js";
import type { Arena } from "../../fault.js";
import type { Observation, Outcome } from "../../history/records.js";
import { monotonicMs, observationOf } from "../../history/writer.js";
import { keyPrefix } from "../../run/final-state.js";

/** What a script answered: outcome and document; or the text of an error reply. */
export type RawReply = readonly [outcome: string, document: string | null] | { readonly error: string };

/** Sends one call of a script, in whatever way. */
export type Send = (script: Script, keys: readonly string[], args: readonly string[]) => Promise<RawReply>;

let numbers = 0;

/** The six keys of an entity, in their order. */
export function keysOf({ namespace, machine }: Arena, id: string): string[] {
  const prefix = keyPrefix(namespace, machine);
  return ["id:", "log:"]
    .map((part) => `${prefix}${part}${id}`)
    .concat(["machine", "index", "due", "events"].map((part) => `${prefix}${part}`));
}

/** The arguments of a script for a step, as the wire protocol has them. */
function argumentsOf({ id, to, set, unset, ifVersion, ifState, op }: PlannedCall): string[] {
  return [
    id,
    ...(to === undefined ? [] : [to]),
    ...Object.entries(set ?? {}).flatMap(([field, value]) => ["SET", field, JSON.stringify(value)]),
    ...(unset ?? []).flatMap((field) => ["UNSET", field]),
    ...(ifVersion === undefined ? [] : ["IFVERSION", String(ifVersion)]),
    ...(ifState === undefined ? [] : ["IFSTATE", ifState]),
    ...(op === undefined ? [] : ["OP", op]),
  ];
}

/** Makes a change of the clients' machine without the library, and writes it down as theirs are. */
export async function rawCall(arena: Arena, name: string, step: PlannedCall, send: Send): Promise<RawReply> {
  numbers += 1;
  const call = { process: name, number: numbers };
  const named = { ...step, op: `${name}.${numbers}@0` };
  const { history, machine } = arena;
  history.append({ kind: "call", ...call, at: monotonicMs(), machine, ...named });
  history.flush();
  const script = step.operation as Script;
  const reply = await send(script, keysOf(arena, step.id), argumentsOf(named));
  history.append({ kind: "return", ...call, at: monotonicMs(), ...told(reply) });
  return reply;
}

function told(reply: RawReply): { outcome: Outcome; document?: Observation; error?: string } {
  if ("error" in reply) return { outcome: "NOTEXECUTED", error: reply.error };
  const [outcome, text] = reply;
  return { outcome: outcome as Outcome, ...(text !== null && { document: observationOf(JSON.parse(text)) }) };
}

/** Sends by EVALSHA of another version of the scripts: they do the same, and differ in SHA-1. */
export function otherVersion(admin: Valkey): Send {
  return async (script, keys, args) => {
    const text = `${scripts[script].text}\n-- another version`;
    const reply = await admin.eval(text, keys.length, ...keys, ...args);
    return reply as [string, string | null];
  };
}
