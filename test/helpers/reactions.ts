import { onTestFinished } from "vitest";
import type { Change, Entities, Reaction, ReactOptions } from "../../src/index.js";
import type { AttemptStart, Delivery, Ending, ReactionGroup } from "../../src/reactions/group.js";
import { client } from "./client.js";
import { type DialState, dial } from "./dial.js";

/** Connects replicas of one program, each with its own client, to one namespace. */
export async function replicas(
  count: number,
  partitions = 1,
): Promise<{ namespace: string; list: [Entities<DialState>, ...Entities<DialState>[]] }> {
  const first = await client();
  await first.init(partitions);
  const { namespace } = first;
  const rest = await Promise.all(Array.from({ length: count - 1 }, () => client({ namespace })));
  const more = await Promise.all(rest.map((one) => one.machine(dial)));
  return { namespace, list: [await first.machine(dial), ...more] };
}

/** Delays so short that no test waits for them. */
export const AT_ONCE = { first: 1, longest: 1 } as const;

/** Starts a reaction named `r` that is closed with the test. */
export async function reacting(
  list: Entities<DialState>,
  handler: Parameters<Entities<DialState>["react"]>[1],
  options: ReactOptions = {},
): Promise<Reaction> {
  const reaction = await list.react("r", handler, { retries: AT_ONCE, ...options });
  onTestFinished(() => reaction.close());
  return reaction;
}

/** Begins an attempt to handle an event, as one of ten. */
export async function begin(group: ReactionGroup, event: Delivery): Promise<AttemptStart | undefined> {
  return group.begin(event, group.nextCall(), 10, true);
}

/**
 * Finishes an event whose attempt began before any other call.
 *
 * @returns the entity's next event, or null; undefined if the event was reassigned
 */
export async function finish(
  group: ReactionGroup,
  event: Delivery,
  ending: Ending = { how: "done" },
): Promise<Delivery | null | undefined> {
  return group.finish(event, 0, group.nextCall(), ending);
}

/** Returns a key of the reaction named `r`. */
export function keyOf(namespace: string, rest: string, partition = 0): string {
  return `{${namespace}:${partition}}:dial:reaction:r:${rest}`;
}

/** Formats a change as `id@version`. */
export function nameOf({ id, version }: Change): string {
  return `${id}@${version}`;
}

/** Makes a promise and the function that settles it. */
export function gate<T = void>(): { readonly promise: Promise<T>; readonly open: (value: T) => void } {
  let open: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}
