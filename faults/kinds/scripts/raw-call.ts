import type { Valkey } from "iovalkey";
import { type Operation as Script, scripts } from "latchkey/lua";
import { chooseId, chooseStep, type PlannedCall } from "../../client/workload.js";
import type { Arena } from "../../fault.js";
import type { Outcome, ReturnRecord } from "../../history/records.js";
import { monotonicMs, observationOf } from "../../history/writer.js";

/** The reply of a script: outcome and document, or the text of an error reply. */
export type RawReply =
  | readonly [outcome: string, document: string | null, position: string | null]
  | { readonly error: string };

/** Sends one call of a script by any means. */
export type Send = (script: Script, keys: readonly string[], args: readonly string[]) => Promise<RawReply>;

let count = 0;

/** Chooses a change to an entity of one partition. */
export function chooseChange(
  { random, fleet, keys }: Arena,
  partition: number,
  done: readonly PlannedCall[] = [],
): PlannedCall {
  for (;;) {
    const step = chooseStep(random, chooseId(random, fleet.generation), undefined, done);
    if (step.operation !== "get" && keys.partitionOf(step.id) === partition) return step;
  }
}

/** Returns the arguments of a script for a call, as the wire protocol defines them. */
function argumentsOf({ id, to, set, unset, ifVersion, ifState, op, seen }: PlannedCall): string[] {
  return [
    id,
    ...(to === undefined ? [] : [to]),
    ...Object.entries(set ?? {}).flatMap(([field, value]) => ["SET", field, JSON.stringify(value)]),
    ...(unset ?? []).flatMap((field) => ["UNSET", field]),
    ...(ifVersion === undefined ? [] : ["IFVERSION", String(ifVersion)]),
    ...(ifState === undefined ? [] : ["IFSTATE", ifState]),
    ...(op === undefined || seen === undefined ? [] : ["OP", op, "SEEN", seen]),
  ];
}

/**
 * Makes a change of the clients' machine without the library, and records it like theirs. A step that has an idempotency
 * key is a retry. Returns the reply, and the step with its key.
 */
export async function rawCall(
  arena: Arena,
  name: string,
  step: PlannedCall,
  send: Send,
): Promise<{ readonly reply: RawReply; readonly call: PlannedCall }> {
  count += 1;
  const call = { process: name, number: count };
  const { history, keys } = arena;
  const { machine } = keys;
  const { op = `${name}.${count}`, seen = await endOfLog(arena, step.id) } = step;
  const named = { ...step, op, seen };
  history.append({ kind: "call", ...call, at: monotonicMs(), machine, ...named });
  history.flush();
  const script = step.operation as Script;
  const reply = await send(script, keys.ofEntity(step.id), argumentsOf(named));
  history.append({ kind: "return", ...call, at: monotonicMs(), ...resultOf(reply) });
  return { reply, call: named };
}

/** Returns the position that a caller without any asks for. */
async function endOfLog({ servers, keys }: Arena, id: string): Promise<string> {
  const key = `${keys.prefix(keys.partitionOf(id))}events`;
  const { admin } = await servers.primary(key);
  const facts = (await admin.xinfo("STREAM", key)) as unknown[];
  return String(facts[facts.indexOf("last-generated-id") + 1]);
}

function resultOf(reply: RawReply): Pick<ReturnRecord, "outcome" | "document" | "position" | "error"> {
  if ("error" in reply) return { outcome: "NOTEXECUTED", error: reply.error };
  const [outcome, text, position] = reply;
  return {
    outcome: outcome as Outcome,
    ...(text !== null && { document: observationOf(JSON.parse(text)) }),
    ...(outcome === "OK" && position !== null && { position }),
  };
}

/** Sends with EVAL. */
export function directSend(admin: Valkey): Send {
  return async (script, keys, args) => {
    try {
      return (await admin.eval(scripts[script].text, keys.length, ...keys, ...args)) as RawReply;
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  };
}

/** Sends with EVALSHA of another version of the scripts, which behaves the same and has another SHA-1. */
export function otherVersion(admin: Valkey): Send {
  return async (script, keys, args) => {
    const text = `${scripts[script].text}\n-- another version`;
    const reply = await admin.eval(text, keys.length, ...keys, ...args);
    return reply as RawReply;
  };
}
