import { checkKnownStates, refuse, shortText } from "../contract/arguments.js";
import type { Snapshot } from "../contract/document.js";
import type { Fields } from "../contract/own-fields.js";
import type { CompiledMachine } from "../machine/compiled.js";

/** The target of a wait: a state, one of several states, or a predicate over the entity. */
export type WaitTarget<S extends string, F extends object = Fields> =
  | S
  | readonly S[]
  | ((entity: Snapshot<S, F>) => boolean);

/** The checked target of a wait. */
export class WaitGoal<S extends string> {
  /** The states that are waited for; undefined for a predicate. */
  readonly states: readonly S[] | undefined;
  readonly #target: WaitTarget<S>;

  /** @throws ContractError if the target is invalid */
  constructor(definition: CompiledMachine, target: WaitTarget<S>) {
    this.#target = target;
    this.states = typeof target === "function" ? undefined : statesOf(definition, target);
  }

  /** Returns whether an entity satisfies the wait. @throws what the predicate throws */
  matches(entity: Snapshot<S>): boolean {
    if (typeof this.#target === "function") return truth(this.#target(entity));
    return this.states?.includes(entity.state) === true;
  }

  /** Completes a sentence that begins with "it was not". */
  get text(): string {
    return this.states?.join(" or ") ?? "as the predicate requires";
  }
}

/** Rejects a promise, which would count as true. */
function truth(answer: unknown): boolean {
  if (typeof answer !== "object" || answer === null || !("then" in answer)) return Boolean(answer);
  Promise.resolve(answer).catch(() => {}); // its rejection would end the process
  refuse("the predicate of waitFor returned a promise; it must return true or false");
}

function statesOf<S extends string>(definition: CompiledMachine, target: S | readonly S[]): readonly S[] {
  const states = typeof target === "string" ? [target] : target;
  if (!Array.isArray(states))
    refuse(`waitFor needs a state, a list of states or a function, not ${shortText(states)}`);
  if (states.length === 0) refuse("waitFor needs at least one state");
  const known = Object.keys(definition.states);
  checkKnownStates(definition.name, states, known);
  return states;
}
