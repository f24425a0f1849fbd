import type { Change } from "../../contract/document.js";
import { MAX_STUCK, type Stuck, type SweepReport } from "../../sweep/report.js";
import type { SweepOptions } from "../../sweep/sweep.js";
import type { SweepFlags } from "../commands/sweep.js";
import type { CliContext } from "../context.js";
import { isForPeople } from "../input/formats.js";
import type { Settings } from "../input/settings.js";
import { eventColumns, writtenChange } from "../output/change-columns.js";
import { writeDocument, writeDocuments } from "../output/documents.js";
import { TableLines } from "../output/table.js";
import { shownText } from "../output/terminal-text.js";
import { withEntities, withLatchkey } from "../session.js";

/**
 * Sweeps all machines of the namespace, or the one that `-m` names, until Ctrl-C or `--once`. Shows each change as it
 * is made, and at the end what was done.
 *
 * @throws NotExecutedError where the user lacks a right that sweeping needs.
 */
export async function runSweep(context: CliContext, settings: Settings, flags: SweepFlags): Promise<void> {
  const denied = new AbortController();
  const signal = AbortSignal.any([context.interruption(), denied.signal]);
  const lines = new ChangeLines(context, settings);
  const { interval, batch, once } = flags;
  const options: SweepOptions = {
    ...(interval !== undefined && { interval }),
    ...(batch !== undefined && { batch }),
    ...(once !== undefined && { once }),
    signal,
    onChange: (change) => lines.add(change),
    onStuck: ({ machine, id, why }: Stuck) =>
      context.note(shownText(`stuck: ${id === "" ? machine : `${machine}/${id}`}: ${why}`)),
    onAway: (why) => {
      // Waiting grants no rights.
      if (why.reply === "NOPERM") denied.abort(why);
      else context.note(`waiting for the server: ${why.message}`);
    },
    onBack: () => context.note("the server is back; sweeping goes on"),
  };
  const swept =
    settings.given.machine === undefined
      ? await withLatchkey(settings, (latchkey) => latchkey.sweep(options))
      : await withEntities(settings, (entities) => entities.sweep(options));
  await lines.end();
  if (denied.signal.aborted) throw denied.signal.reason;
  context.note(told(swept));
}

/** Writes changes one after the other, in the order in which they are told. */
class ChangeLines {
  readonly #context: CliContext;
  readonly #settings: Settings;
  readonly #table: TableLines<Change>;
  readonly #held: Change[] = [];
  #written: Promise<void> = Promise.resolve();
  #hasHead = false;

  constructor(context: CliContext, settings: Settings) {
    this.#context = context;
    this.#settings = settings;
    this.#table = new TableLines(eventColumns(settings.format), true);
  }

  add(change: Change): void {
    // A JSON array is written at the end, as one.
    if (this.#settings.format === "json") this.#held.push(change);
    else this.#written = this.#written.then(() => this.#write(change));
  }

  async end(): Promise<void> {
    await this.#written;
    const { format } = this.#settings;
    if (isForPeople(format)) await this.#context.write(this.#head());
    if (format === "json") await writeDocuments(this.#context, "json", this.#held.map(writtenChange));
  }

  #write(change: Change): Promise<void> {
    const { format } = this.#settings;
    return isForPeople(format)
      ? this.#context.write(this.#head() + this.#table.add(change))
      : writeDocument(this.#context, format, writtenChange(change));
  }

  /** The table's head, the first time: not before it is known that there will be a table, if only an empty one. */
  #head(): string {
    if (this.#hasHead) return "";
    this.#hasHead = true;
    return this.#table.start();
  }
}

function told({ expired, removed, given, stuck }: SweepReport): string {
  const parts = [
    `${expired} ran out`,
    `${removed} removed`,
    ...(given === 0 ? [] : [`${given} given the deadline that they lacked`]),
    ...(stuck === 0 ? [] : [`${stuck}${stuck >= MAX_STUCK ? " or more" : ""} stuck (latchkey list --stuck)`]),
  ];
  return parts.join(", ");
}
