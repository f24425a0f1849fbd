import { AsyncLocalStorage } from "node:async_hooks";

const actors = new AsyncLocalStorage<string | undefined>();

/**
 * Returns the actor of the request that is being handled, as {@link LatchkeyActorInterceptor} found it; undefined outside
 * of requests. Connections of `LatchkeyModule` use it, unless their options have an `actor`.
 *
 * @example LatchkeyModule.forRoot({ actor: () => requestActor() ?? "scheduler" })
 */
export function requestActor(): string | undefined {
  return actors.getStore();
}

/** Runs work, and everything asynchronous that it starts, with an actor. */
export function runAs<T>(actor: string | undefined, work: () => T): T {
  return actors.run(actor, work);
}
