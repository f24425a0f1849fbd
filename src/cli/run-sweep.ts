import type { Change } from "../store/document.js";
import type { SweepOptions } from "../store/sweep.js";
import type { Stuck, Swept } from "../store/swept.js";
import { eventColumns, writtenChange } from "./change-columns.js";
import type { CliContext } from "./context.js";
import { writeDocument, writeDocuments } from "./documents.js";
import { isForPeople } from "./formats.js";
import { withEntities, withLatchkey } from "./session.js";
import type { Settings } from "./settings.js";
import type { SweepFlags } from "./sweep.js";
import { TableLines } from "./table.js";

/**
 * Sweeps all machines of the namespace, or the one that `-m` names, until Ctrl-C or `--once`. Shows each change as it
 * is made, and at the end what was done.
 */
export async function runSweep(context: CliContext, settings: Settings, flags: SweepFlags): Promise<void> {
  const signal = context.interruption();
  const lines = new ChangeLines(context, settings);
  const options: SweepOptions = {
    ...flags,
    signal,
    onChange: (change) => lines.add(change),
    onStuck: ({ machine, id, why }: Stuck) => context.note(`stuck: ${machine}/${id}: ${why}`),
  };
  await lines.start();
  const swept =
    settings.given.machine === undefined
      ? await withLatchkey(settings, (latchkey) => latchkey.sweep(options))
      : await withEntities(settings, (entities) => entities.sweep(options));
  await lines.end();
  context.note(told(swept));
}

/** Writes changes one after the other, in the order in which they are told. */
class ChangeLines {
  readonly #context: CliContext;
  readonly #settings: Settings;
  readonly #table: TableLines<Change>;
  readonly #held: Change[] = [];
  #written: Promise<void> = Promise.resolve();

  constructor(context: CliContext, settings: Settings) {
    this.#context = context;
    this.#settings = settings;
    this.#table = new TableLines(eventColumns(settings.format), true);
  }

  async start(): Promise<void> {
    if (isForPeople(this.#settings.format)) await this.#context.write(this.#table.start());
  }

  add(change: Change): void {
    // A JSON array is written at the end, as one.
    if (this.#settings.format === "json") this.#held.push(change);
    else this.#written = this.#written.then(() => this.#write(change));
  }

  async end(): Promise<void> {
    await this.#written;
    if (this.#settings.format === "json")
      await writeDocuments(this.#context, "json", this.#held.map(writtenChange));
  }

  #write(change: Change): Promise<void> {
    const { format } = this.#settings;
    return isForPeople(format)
      ? this.#context.write(this.#table.add(change))
      : writeDocument(this.#context, format, writtenChange(change));
  }
}

function told({ expired, removed, given, stuck }: Swept): string {
  const parts = [
    `${expired} ran out`,
    `${removed} removed`,
    ...(given === 0 ? [] : [`${given} given the deadline that they lacked`]),
    ...(stuck === 0 ? [] : [`${stuck} stuck (latchkey list --stuck)`]),
  ];
  return parts.join(", ");
}
