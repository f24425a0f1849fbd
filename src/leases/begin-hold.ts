import { checkOptions } from "../contract/arguments.js";
import { ContractError } from "../errors/latchkey-error.js";
import { RejectedError } from "../errors/rejected-errors.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { heartbeat } from "./heartbeat.js";
import { Hold, type HoldOptions } from "./hold.js";
import { leaseLength } from "./lease-length.js";

const OPTIONS: ReadonlySet<string> = new Set<keyof HoldOptions>(["version", "onLost"]);

/**
 * Renews the lease of an entity's present state once, and from then on by itself.
 *
 * @throws ContractError with code BADARG where an option is misspelt, or of no use: a `version` of undefined, which is
 * what a misspelt property of an entity is, would leave the hold unfenced.
 */
export async function hold<S extends string>(
  store: MachineStore,
  id: string,
  options: HoldOptions,
): Promise<Hold<S>> {
  checkOptions(options, OPTIONS);
  const { version, onLost } = options;
  if (Object.hasOwn(options, "version") && version === undefined) {
    throw new ContractError("BADARG", "version is undefined; give the version to hold, or leave it out");
  }
  if (onLost !== undefined && typeof onLost !== "function") {
    throw new ContractError("BADARG", "onLost must be a function; leave it out where nobody is to be told");
  }
  const asked = performance.now();
  const result = await heartbeat<S>(store, id, version === undefined ? {} : { ifVersion: version });
  if (!result.ok) throw result.error;
  const { document } = result;
  const length = await leaseLength(store, id, document.state);
  const { ms } = length;
  if (ms === undefined) {
    const { machine } = store.location;
    const message = `${machine} ${id} was ${document.state}, whose lease a newer version of the machine took away`;
    throw new RejectedError("ILLEGAL", message, machine, id, document);
  }
  return new Hold<S>(store, { ...length, ms }, document, asked, options);
}
