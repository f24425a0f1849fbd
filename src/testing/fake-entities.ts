import { checkFunctions, checkOptions } from "../contract/arguments.js";
import type { Fields } from "../contract/own-fields.js";
import type { Entities } from "../entities.js";
import { compileMachine } from "../machine/compile.js";
import { checkedMachine } from "../machine/define.js";
import type { EventNames, Machine, MachineDefinition, StateEvent } from "../machine/definition.js";
import type { DefaultActor } from "../valkey/default-actor.js";
import { MemoryEntities } from "./fake/memory-entities.js";

/** Options of {@link fakeEntities}. */
export interface FakeOptions {
  /** Reads the clock, in ms, instead of the clock of a server. @default Date.now, which fake timers of test runners set */
  readonly now?: () => number;
  /** Actor of the changes whose call names none, as the option of `connect`. */
  readonly actor?: DefaultActor;
}

/** Entities in memory, as {@link fakeEntities} makes them. */
export type FakeEntities<M extends MachineDefinition | string = string, F extends object = Fields> = Entities<
  M,
  F
> & {
  /** Settles as soon as reactions and followers have no event that they can handle now. */
  handled(): Promise<void>;
};

/**
 * Makes entities in memory, for unit tests without a server. They accept and reject the same calls as the scripts, with
 * the same documents and errors, because a reference model judges them, which a property test compares with the scripts.
 *
 * Handlers of `react` and `follow` run in this process, and are retried without a delay. Timers fire in `sweep`, as on a
 * server. `waitFor`, `hold` and `handlerTimeout` use real time, also with fake timers.
 *
 * It does not do these: persistence, `durability`, the namespace and `connect`, several processes, lost connections
 * (so no call throws NotExecutedError or OutcomeUnknownError), trimming of the event log, newer versions of the machine,
 * permissions, and `pendingEvents`. `durability` and `pendingEvents` throw ContractError. Test these with `startValkey`.
 *
 * @throws MachineDefinitionError if the definition is invalid; ContractError if an option is invalid
 * @example
 * const orders = fakeEntities(order);
 * const service = new OrderService(orders);
 * await service.place("o1");
 * (await orders.get("o1"))?.state; // "open"
 */
export function fakeEntities<
  const S extends string,
  const N extends string,
  const E,
  F extends object = Fields,
>(
  machine: MachineDefinition<S, N> & EventNames<E>,
  options: FakeOptions = {},
): FakeEntities<Machine<S, N, StateEvent<S, N, E>>, F> {
  checkOptions(options, ["now", "actor"]);
  checkFunctions({ now: options.now });
  const { now = () => Date.now(), actor } = options; // Date is read at each call: fake timers replace it
  const entities = new MemoryEntities(compileMachine(checkedMachine(machine)), now, actor);
  // The types of states and fields exist only at compile time.
  return entities as unknown as FakeEntities<Machine<S, N, StateEvent<S, N, E>>, F>;
}
