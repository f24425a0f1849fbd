import { countText } from "../../contract/count-text.js";
import type { Change } from "../../contract/document.js";
import { NotExecutedError } from "../../errors/outcome-errors.js";
import type { Duration } from "../../machine/duration.js";
import { MAX_STUCK, type Stuck, type SweepReport } from "../../sweep/report.js";
import type { SweepOptions } from "../../sweep/sweep.js";
import { usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { isForPeople } from "../input/formats.js";
import type { Settings } from "../input/settings.js";
import { eventColumns } from "../output/changes.js";
import { stored, writeDocument, writeDocuments } from "../output/documents.js";
import { TableLines } from "../output/table.js";
import { shownText } from "../output/terminal-text.js";
import { awayLine } from "../server-watch.js";
import { withEntities, withLatchkey } from "../session.js";

/** Options of `sweep`. */
export interface SweepFlags {
  readonly once?: boolean;
  readonly interval?: Duration;
  readonly batch?: number;
}

/**
 * Sweeps all machines of the namespace, or the one that `-m` names, until Ctrl-C or `--once`. Prints each change as it
 * is made, and a summary at the end.
 *
 * @throws NotExecutedError if the user lacks a permission, and with `--once` if a server is unreachable
 */
export async function runSweep(context: CliContext, settings: Settings, flags: SweepFlags): Promise<void> {
  if (flags.once !== true && settings.format === "json") {
    throw usageError("-o json without --once would never end; use -o jsonl");
  }
  const denied = new AbortController();
  const lines = new ChangeLines(context, settings);
  /** Report of a sweep of one round that could not reach all servers. */
  let partial: SweepReport | undefined;
  // Until the server is up, Ctrl-C ends the process at once.
  const options = (): SweepOptions => ({
    ...flags,
    signal: AbortSignal.any([context.interruption(), denied.signal]),
    onChange: (change) => lines.add(change),
    onStuck: ({ machine, id, why }: Stuck) =>
      context.note(shownText(`stuck: ${id === "" ? machine : `${machine}/${id}`}: ${why}`)),
    onAway: (error, soFar) => {
      // Waiting does not grant permissions.
      if (flags.once === true) partial = soFar;
      else if (error instanceof NotExecutedError && error.reply === "NOPERM") denied.abort(error);
      else context.note(awayLine(error.message));
    },
    onBack: () => context.note("connected again; sweeping continues"),
  });
  const limits = flags.once === true ? {} : { onWait: (line: string) => context.note(line) };
  const sweep =
    settings.given.machine === undefined
      ? withLatchkey(settings, (latchkey) => latchkey.sweep(options()), limits)
      : withEntities(settings, (entities) => entities.sweep(options()), limits);
  const report = await sweep.catch(async (error: unknown) => {
    if (partial !== undefined) {
      await lines.end();
      // Programs read stderr too: it holds the error alone.
      if (isForPeople(settings.format)) context.note(sweepSummary(partial));
    }
    throw error;
  });
  await lines.end();
  if (denied.signal.aborted) throw denied.signal.reason;
  context.note(sweepSummary(report));
}

/** Writes changes one after the other, in the order in which they are reported. */
class ChangeLines {
  readonly #context: CliContext;
  readonly #settings: Settings;
  readonly #table: TableLines<Change>;
  readonly #buffered: Change[] = [];
  #written: Promise<void> = Promise.resolve();
  #hasHead = false;

  constructor(context: CliContext, settings: Settings) {
    this.#context = context;
    this.#settings = settings;
    this.#table = new TableLines(eventColumns(settings.format), true);
  }

  add(change: Change): void {
    // A JSON array is written at the end.
    if (this.#settings.format === "json") this.#buffered.push(change);
    else this.#written = this.#written.then(() => this.#write(change));
  }

  async end(): Promise<void> {
    await this.#written;
    const { format } = this.#settings;
    if (isForPeople(format)) await this.#context.write(this.#head());
    if (format === "json") await writeDocuments(this.#context, "json", this.#buffered.map(stored));
  }

  #write(change: Change): Promise<void> {
    const { format } = this.#settings;
    return isForPeople(format)
      ? this.#context.write(this.#head() + this.#table.add(change))
      : writeDocument(this.#context, format, stored(change));
  }

  /** Returns the header of the table once: with the first row, or at the end. */
  #head(): string {
    if (this.#hasHead) return "";
    this.#hasHead = true;
    return this.#table.start();
  }
}

function sweepSummary({ expired, removed, given, stuck }: SweepReport): string {
  const parts = [
    `${countText(expired, "timer")} fired`,
    `${countText(removed, "entity", "entities")} removed`,
    ...(given === 0 ? [] : [`${countText(given, "missing timer")} added`]),
    ...(stuck === 0 ? [] : [`${stuck}${stuck >= MAX_STUCK ? " or more" : ""} stuck (latchkey list --stuck)`]),
  ];
  return parts.join(", ");
}
