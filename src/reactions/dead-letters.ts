import { checkList } from "../contract/arguments.js";
import { ask } from "../valkey/ask.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { type DeadLetter, deadLetters, dropLetters, retryLetters } from "./dead-letter-store.js";
import { checkReaction } from "./react.js";

/**
 * The dead letters of a reaction: events whose handler failed too often, and what is known of events that the log lost
 * before anyone had handled them. Made by `agents.deadLetters(name)`.
 *
 * @example
 * const letters = agents.deadLetters("cleanup");
 * for await (const { id, error } of letters) console.log(id, error);
 * await letters.retry(["0:1763807223197-0"]);
 */
export class DeadLetters implements AsyncIterable<DeadLetter> {
  readonly reaction: string;
  readonly #store: MachineStore;

  constructor(store: MachineStore, reaction: string) {
    this.reaction = checkReaction(reaction);
    this.#store = store;
  }

  /** All of them, oldest first in each partition. @throws NotExecutedError when the server can't be asked. */
  [Symbol.asyncIterator](): AsyncGenerator<DeadLetter, void> {
    return deadLetters((question) => this.#ask(question), this.#store.location, this.reaction);
  }

  /**
   * Gives dead letters back to the reaction, which tries each anew as often as any event. Each stays until it is handled.
   *
   * @returns the ids that were given back: not those of no dead letter, nor of events that are lost
   */
  async retry(ids: readonly string[]): Promise<string[]> {
    checkList("ids", ids);
    return retryLetters((question) => this.#ask(question), this.#store.location, this.reaction, ids);
  }

  /** Removes dead letters for good. @returns the ids that were there */
  async drop(ids: readonly string[]): Promise<string[]> {
    checkList("ids", ids);
    return dropLetters((question) => this.#ask(question), this.#store.location, this.reaction, ids);
  }

  #ask<T>(question: Parameters<typeof ask<T>>[2]): Promise<T> {
    return ask(this.#store.connection, `dead letters of ${this.reaction}`, question);
  }
}
