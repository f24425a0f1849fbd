import { onTestFinished } from "vitest";
import {
  agent,
  type ConnectOptions,
  connect,
  type Entities,
  type Latchkey,
  type MachineDefinition,
} from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { freshNamespace, useValkey } from "./valkey.js";

/** A client in a namespace of its own, closed when the test has finished. */
export async function client(options: ConnectOptions = {}): Promise<Latchkey> {
  const { url } = await useValkey();
  const latchkey = await connect({ url, namespace: freshNamespace(), ...options });
  onTestFinished(() => latchkey.close());
  return latchkey;
}

/** The entities of a machine in a namespace of their own. */
export async function entities<S extends string>(definition: MachineDefinition<S>) {
  return (await client()).machine(definition);
}

/** Agents in a namespace of their own. */
export async function agents(): Promise<Entities<AgentState>> {
  return entities(agent());
}

/** Returns the rejection of a promise. Fails if it resolves. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  const answer = await promise.then(
    () => "an answer",
    (error: unknown) => error,
  );
  if (!(answer instanceof Error))
    throw new Error(`It was not rejected with an error but ended with ${answer}`);
  return answer;
}

/** Returns the rejection of a promise, which must be of one class. */
export async function rejectionOf<E extends Error>(
  kind: abstract new (...args: never[]) => E,
  promise: Promise<unknown>,
): Promise<E> {
  const error = await rejection(promise);
  if (error instanceof kind) return error;
  throw new Error(`It was not rejected with ${kind.name}`, { cause: error });
}

/** All that an iteration gives. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
