import type { Store } from "./call.js";
import { checkOptions } from "./change-options.js";
import { RefusedError } from "./errors.js";
import { heartbeat } from "./heartbeat.js";
import { Hold, type HoldOptions } from "./hold.js";
import { needMachine } from "./machine-record.js";

const OPTIONS: ReadonlySet<string> = new Set<keyof HoldOptions>(["version", "onLost"]);

/** Renews the lease of an entity's present state once, and from then on by itself. */
export async function hold<S extends string>(
  store: Store,
  id: string,
  options: HoldOptions,
): Promise<Hold<S>> {
  checkOptions(options, OPTIONS);
  const { version } = options;
  const asked = performance.now();
  const result = await heartbeat<S>(store, id, version === undefined ? {} : { ifVersion: version });
  if (!result.ok) throw result.error;
  const { document } = result;
  const { definition } = await needMachine(store.connection, store.place, "hold");
  const state = Object.hasOwn(definition.states, document.state)
    ? definition.states[document.state]
    : undefined;
  if (state?.lease === undefined) {
    const { machine } = store.place;
    const message = `${machine} ${id} was ${document.state}, whose lease a newer version of the machine took away`;
    throw new RefusedError("ILLEGAL", message, machine, id, document);
  }
  return new Hold<S>(store, state.lease.for, document, asked + state.lease.for, options);
}
