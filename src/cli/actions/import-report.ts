import { countText } from "../../contract/count-text.js";
import type { CliContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import type { KeyPattern } from "../input/service-keys.js";
import type { Settings } from "../input/settings.js";
import { jsonFor } from "../output/documents.js";
import { ProgressLine } from "../output/progress-line.js";
import { type Column, TableLines } from "../output/table.js";
import { shownText } from "../output/terminal-text.js";
import { shellWord, withoutPassword } from "../shell-command.js";
import { IMPORT_RESULTS, type ImportResult } from "./import-agent.js";
import type { ImportRow } from "./import-service.js";

/** The import that a report describes. */
export interface ImportFacts {
  /** Settings of the connection to the source. */
  readonly source: Settings;
  readonly pattern: KeyPattern;
  readonly dryRun: boolean;
}

/** Counts the results of an import, and prints those that need attention. */
export class ImportReport {
  readonly #context: CliContext;
  readonly #facts: ImportFacts;
  readonly #progress = new ProgressLine(process.stderr);
  readonly #table: TableLines<ImportRow>;
  readonly #findings: ImportRow[] = [];
  readonly #counts = new Map<ImportResult, number>();

  constructor(context: CliContext, facts: ImportFacts) {
    this.#context = context;
    this.#facts = facts;
    this.#table = new TableLines(rowColumns(context));
  }

  /** Number of keys so far. */
  get keys(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Counts keys, and prints those about which there is something to say. */
  async add(rows: readonly ImportRow[]): Promise<void> {
    for (const row of rows) {
      this.#counts.set(row.result, this.#count(row.result) + 1);
      if (row.message !== undefined) await this.#print(row);
    }
    this.#progress.show(this.#verdict());
  }

  async #print(row: ImportRow): Promise<void> {
    const { format } = this.#facts.source;
    if (format === "jsonl") return this.#write(`${jsonFor(this.#context, JSON.stringify(row))}\n`);
    this.#findings.push(row);
    if (format === "table") await this.#write(this.#table.add(row));
  }

  /** Prints the verdict and sets the exit code. */
  async end(isComplete: boolean): Promise<void> {
    this.#progress.clear();
    if (this.keys === 0) return;
    const { source, pattern, dryRun } = this.#facts;
    const { format, machine, namespace } = source;
    if (format === "table" && this.#findings.length > 0) await this.#context.write(this.#table.end());
    if (format === "json") {
      const counts = Object.fromEntries(IMPORT_RESULTS.map((result) => [result, this.#count(result)]));
      const facts = { machine, namespace, pattern: pattern.text, dryRun, keys: this.keys, ...counts };
      const report = JSON.stringify({ ...facts, findings: this.#findings });
      await this.#context.write(`${jsonFor(this.#context, report)}\n`);
    }
    if (this.#count("conflict") > 0) this.#context.exitWith(EXIT.conflict);
    if (this.#count("invalid") > 0) this.#context.exitWith(EXIT.unexpected);
    this.#context.note(this.#verdict());
    if (!isComplete) this.#context.note("The import is not complete. Run the command again to continue.");
    else if (!dryRun) for (const line of this.#aboutOldKeys()) this.#context.note(shownText(line));
  }

  #count(result: ImportResult): number {
    return this.#counts.get(result) ?? 0;
  }

  #verdict(): string {
    const { source, dryRun } = this.#facts;
    const parts = IMPORT_RESULTS.flatMap((result) => {
      const count = this.#count(result);
      return count === 0 ? [] : [`${count} ${result}`];
    });
    const keys = countText(this.keys, "key");
    return `machine/${source.machine}: ${parts.join(", ") || "nothing imported"} (${keys}${dryRun ? ", dry run" : ""})`;
  }

  #aboutOldKeys(): string[] {
    const missing = this.#count("conflict") + this.#count("invalid");
    if (missing > 0)
      return [
        `The old keys are unchanged. ${missing} of them ${missing === 1 ? "was" : "were"} not imported.`,
      ];
    const { source, pattern } = this.#facts;
    return [
      "The old keys are unchanged. To delete them when no old replica needs them:",
      `  ${deleteCommand(source.url, pattern)}`,
    ];
  }

  async #write(text: string): Promise<void> {
    if (text === "") return;
    this.#progress.clear();
    await this.#context.write(text);
  }
}

function rowColumns({ paint }: CliContext): readonly Column<ImportRow>[] {
  const { green, yellow, red, dim } = paint;
  const colours = {
    ...{ imported: green, updated: green, skipped: dim },
    ...{ removed: yellow, conflict: red, invalid: red },
  };
  return [
    { title: "KEY", value: ({ key }) => key },
    { title: "RESULT", value: ({ result }) => result, paint: (text, { result }) => colours[result](text) },
    { title: "WHAT", value: ({ message }) => message },
  ];
}

/** Returns the shell command that deletes all keys of the source. It keeps no password. */
function deleteCommand(url: string, { match }: KeyPattern): string {
  const isPlain = /^(?:valkeys?|rediss?):/.test(url);
  const server = isPlain ? `-u ${shellWord(withoutPassword(url))}` : "-h HOST";
  const scan = `valkey-cli ${server} --scan --pattern ${shellWord(match)}`;
  return `${scan} | tr '\\n' '\\0' | xargs -0 -n 100 valkey-cli ${server} UNLINK`;
}
