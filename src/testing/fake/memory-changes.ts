import { type ChangeCall, rejectedCall } from "../../changes/call.js";
import { explainRejection } from "../../changes/explain-rejection.js";
import type { Answer } from "../../changes/intent.js";
import { durabilityNeed, newOp, timeoutMs } from "../../changes/options.js";
import { acceptedResult, type Result, readResult } from "../../changes/result.js";
import { refuse } from "../../contract/arguments.js";
import { contractError } from "../../valkey/ask.js";
import type { MachineStore } from "../../valkey/machine-store.js";
import { isLater } from "../../valkey/stream.js";
import { changeOf, type MemoryServer } from "./memory-server.js";

/** Makes a change of an entity in memory. @throws ContractError if the call is invalid */
export function changeMemory(server: MemoryServer, store: MachineStore, call: ChangeCall): Result {
  const { connection, definition } = store;
  const { operation, id, options } = call;
  timeoutMs(options, connection.timeoutMs); // checks it
  const { need } = durabilityNeed(options, connection.durability);
  if (need.local + need.replicas > 0)
    refuse("fakeEntities keeps entities in memory; omit durability, or test it with startValkey");
  let answer: Answer;
  try {
    answer = answerOf(server, call);
  } catch (error) {
    throw contractError(error, `${operation} ${definition.name} ${id}`) ?? error;
  }
  if (!("reply" in answer)) return acceptedResult(answer.document);
  return readResult(answer.reply, (rejection, current) =>
    explainRejection(rejectedCall(call, definition), rejection, current),
  );
}

/** Sends attempts until one is answered, as a client does: no attempt of another process is under way. */
function answerOf(server: MemoryServer, { operation, id, options, words }: ChangeCall): Answer {
  const { op = newOp(), notAfter, seen: given } = options;
  const { end } = server.model;
  const notBefore = operation === "restore" && given !== undefined && isLater(given, end) ? given : end;
  const limit = notAfter === undefined ? [] : ["NOTAFTER", String(notAfter)];
  for (let seen = operation === "restore" ? notBefore : (given ?? end); ; ) {
    const reply = server.run(operation, id, ...words.slice(1), "OP", op, "SEEN", seen, ...limit);
    if (reply.outcome !== "FORGOTTEN") return { reply };
    // The entity has forgotten the key. The log holds every change.
    const from = isLater(seen, end) ? undefined : seen;
    const change = server.events
      .filter((event) => event.id === id && (from === undefined || isLater(event.position, from)))
      .map(changeOf)
      .find((document) => document.op === op);
    if (change !== undefined) return { document: change };
    // As a client: the log will pass a position that it has lost, and the key could then be used again.
    if (given !== undefined && from === undefined) return { reply };
    seen = reply.position ?? end;
  }
}
