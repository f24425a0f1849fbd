import { readDocument, type Snapshot } from "../../contract/document.js";
import type { Follower } from "../../events/feed.js";
import type { CompiledMachine } from "../../machine/compiled.js";
import { readHistory } from "../../reads/history.js";
import type { Found, WaitSource } from "../../waits/wait-source.js";
import { changeOf, type MemoryServer } from "./memory-server.js";

/** Serves waits from memory. */
export class MemoryWaits implements WaitSource<string> {
  readonly definition: CompiledMachine;
  readonly #server: MemoryServer;
  readonly #followers = new Map<Follower, () => void>();

  constructor(server: MemoryServer, definition: CompiledMachine) {
    this.#server = server;
    this.definition = definition;
  }

  serverOf() {
    const server = "fakeEntities";
    return { address: server, isReady: true, place: { server } };
  }

  async follow(follower: Follower): Promise<void> {
    const unlisten = this.#server.onEvent((event) => {
      if (event.id === follower.id) follower.onChange(changeOf(event));
    });
    this.#followers.set(follower, unlisten);
  }

  leave(follower: Follower): void {
    this.#followers.get(follower)?.();
    this.#followers.delete(follower);
  }

  async read(id: string): Promise<Found<string>> {
    return this.readOnce(id);
  }

  async readOnce(id: string): Promise<Found<string>> {
    const { model } = this.#server;
    const text = model.snapshot(id);
    const log = model.entities.get(id)?.log ?? [];
    return {
      entity: text === null ? null : readDocument<Snapshot>(text),
      log: readHistory(log.flatMap((change) => [change.text, change.op])),
    };
  }
}
