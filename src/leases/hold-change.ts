import type { Result } from "../changes/result.js";
import type { Change, Replay } from "../contract/document.js";
import { ContractError } from "../errors/latchkey-error.js";
import { NotDurableError, OutcomeUnknownError } from "../errors/outcome-errors.js";
import { history } from "../reads/get.js";
import type { MachineStore } from "../valkey/machine-store.js";

/** What the callback of `Hold.change` may give: what the calls for a change return. */
export type Given<S extends string = string> = Change<S> | Replay<S> | Result<S>;

/**
 * The change that a callback made; undefined where it was refused.
 *
 * @throws ContractError with code BADARG where it gave something else, which the compiler sees, but not in JavaScript.
 */
export function changeGiven(
  { location }: MachineStore,
  id: string,
  given: unknown,
): Change | Replay | undefined {
  const { machine } = location;
  let change = given;
  if (isResult(given)) {
    if (!given.ok) return undefined;
    change = given.document;
  }
  if (isDocument(change) && change.machine === machine && change.id === id) return change;
  const what = isDocument(change) ? `a change of ${change.machine} ${change.id}` : nameOf(change);
  const message = `the callback of change gave ${what}, not a change of ${machine} ${id}`;
  throw new ContractError("BADARG", `${message}; return what its call for the change returned`);
}

/** The change that was made though its caller was told an error; undefined where it was not, or another entity's. */
export function changeBehind(
  { location }: MachineStore,
  id: string,
  error: unknown,
): Change | Replay | undefined {
  if (!(error instanceof NotDurableError)) return undefined;
  const { document } = error;
  return document.machine === location.machine && document.id === id ? document : undefined;
}

/** Whether an error leaves open what became of a change of this entity. */
export function leavesOpen(
  { location }: MachineStore,
  id: string,
  error: unknown,
): error is OutcomeUnknownError {
  return error instanceof OutcomeUnknownError && error.machine === location.machine && error.id === id;
}

/** Whether a change is known only by an entity that others have changed since. */
export function isOvertaken({ opVersion, version }: Change | Replay): boolean {
  return opVersion !== undefined && opVersion !== version;
}

/** The change itself that was overtaken, as the entity's history has it; as it was told where that has it no more. */
export async function overtakenChange(store: MachineStore, told: Change | Replay): Promise<Change | Replay> {
  const { id, opVersion, createdAt } = told;
  const changes = await history(store, id).catch(() => []);
  return changes.find((one) => one.version === opVersion && one.createdAt === createdAt) ?? told;
}

/** A document may have an own field `ok`, but has always a version. */
function isResult(given: unknown): given is Result {
  return isObject(given) && typeof given.ok === "boolean" && !("version" in given);
}

function isDocument(given: unknown): given is Change | Replay {
  return isObject(given) && (typeof given.type === "string" || typeof given.opVersion === "number");
}

function isObject(given: unknown): given is Readonly<Record<string, unknown>> {
  return typeof given === "object" && given !== null;
}

function nameOf(given: unknown): string {
  if (given === undefined || given === null) return String(given);
  return isObject(given) && "version" in given ? "an entity as it was read" : "something else";
}
