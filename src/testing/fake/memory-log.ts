import type { Change } from "../../contract/document.js";
import { GapError } from "../../errors/gap-error.js";
import { timeOf } from "../../events/cursor.js";
import { EventLog, type EventsOptions } from "../../events/log.js";
import type { MachineStore } from "../../valkey/machine-store.js";
import { onAbort } from "../../valkey/on-abort.js";
import { idOf, isLater, positionAfter, START } from "../../valkey/stream.js";
import { changeOf, type MemoryServer } from "./memory-server.js";

/** The event log of entities in memory, which is never trimmed. */
export class MemoryLog<C extends Change = Change> extends EventLog<C> {
  readonly #server: MemoryServer;
  readonly #machine: string;
  readonly #options: EventsOptions;
  #cursor: string | undefined;

  constructor(server: MemoryServer, store: MachineStore, options: EventsOptions) {
    super(store, options);
    this.#server = server;
    this.#machine = store.definition.name;
    this.#options = options;
    const { after = "end" } = options;
    const isStart = after === "start" || after === "end" || timeOf(after) !== undefined;
    if (!isStart) this.#cursor = String(after);
  }

  override get cursor(): string | undefined {
    return this.#cursor;
  }

  override async *[Symbol.asyncIterator](): AsyncGenerator<C, void> {
    const { follow = true, signal } = this.#options;
    if (signal?.aborted) return;
    for (let at = this.#first(); ; at += 1) {
      if (at === this.#server.events.length && follow) await this.#news();
      const event = this.#server.events[at];
      if (event === undefined || signal?.aborted) return;
      this.#cursor = positionAfter({ id: event.position, text: event.text });
      yield changeOf<C>(event);
    }
  }

  /** Returns the index of the event to begin with, and sets the cursor before it. */
  #first(): number {
    const { events } = this.#server;
    if (this.#cursor === undefined) {
      const { after = "end" } = this.#options;
      const ms = timeOf(after);
      const found = ms === undefined ? -1 : events.findIndex(({ position }) => !isLater(`${ms}-0`, position));
      const at = after === "start" ? 0 : found < 0 ? events.length : found;
      const last = events[at - 1];
      this.#cursor = last === undefined ? START : positionAfter({ id: last.position, text: last.text });
      return at;
    }
    const id = idOf(this.#cursor);
    const own = events.find(({ position }) => position === id);
    const isOwn = own !== undefined && positionAfter({ id, text: own.text }) === this.#cursor;
    const isPlain = this.#cursor === id && !isLater(id, events.at(-1)?.position ?? START);
    if (!isOwn && !isPlain) throw new GapError(this.#machine, this.#cursor, START, "lost");
    const at = events.findIndex(({ position }) => isLater(position, id));
    return at < 0 ? events.length : at;
  }

  /** Settles at the next event, or when the iteration ends. */
  async #news(): Promise<void> {
    await new Promise<void>((resolve) => {
      const end = (): void => {
        unlisten();
        leave();
        resolve();
      };
      const unlisten = this.#server.onEvent(end);
      const leave = onAbort(this.#options.signal, end);
    });
  }
}
