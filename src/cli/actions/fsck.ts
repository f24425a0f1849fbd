import { countText } from "../../contract/count-text.js";
import type { Finding } from "../../fsck/finding.js";
import { type FsckProgress, type FsckSummary, fsck } from "../../fsck/fsck.js";
import type { CliContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import type { Settings } from "../input/settings.js";
import { jsonFor } from "../output/documents.js";
import { ProgressLine } from "../output/progress-line.js";
import { type Column, TableLines } from "../output/table.js";
import { checkedNames, withConnection } from "../session.js";

/** Options of `fsck`. */
export interface FsckFlags {
  readonly repair?: boolean;
  readonly deep?: boolean;
  readonly strict?: boolean;
}

/** Number of findings by result. */
type Counts = Record<Finding["result"], number>;

/** Checks a machine and prints findings as they are made, and a verdict at the end. */
export async function runFsck(context: CliContext, settings: Settings, flags: FsckFlags): Promise<void> {
  const { format } = settings;
  const { machine, namespace } = await checkedNames(settings);
  const signal = context.interruption(true);
  const progress = new ProgressLine(process.stderr);
  const counts: Counts = { repaired: 0, repairable: 0, manual: 0, notice: 0, unchecked: 0 };
  const table = new TableLines(findingColumns(context));
  const findings: Finding[] = [];
  const show = async (text: string): Promise<void> => {
    if (text === "") return;
    progress.clear();
    await context.write(text);
  };
  const onProgress = ({ partition, partitions, entities, events }: FsckProgress): void => {
    const place = partitions === 1 ? "" : `partition ${partition + 1} of ${partitions}: `;
    progress.show(`checking ${machine}: ${place}${entities} entities, ${events} events`);
  };
  const checked = await withConnection(
    settings,
    async (connection) => {
      const steps = fsck(connection, namespace, machine, { ...flags, signal, onProgress });
      for (;;) {
        const { done, value } = await steps.next();
        if (done === true) return value;
        counts[value.result] += 1;
        if (format === "json") findings.push(value);
        else if (format === "jsonl") await show(`${jsonFor(context, JSON.stringify(value))}\n`);
        else await show(table.add(value));
      }
    },
    { signal },
  ).finally(() => progress.clear());
  if (format === "table" && Object.values(counts).some((n) => n > 0)) await show(table.end());
  if (format === "json") {
    const report = { machine, namespace, ...checked, ...counts, findings };
    await context.write(`${jsonFor(context, JSON.stringify(report))}\n`);
  }
  // A partition that was not checked may be damaged.
  if (counts.manual + counts.repairable + checked.skipped > 0) context.exitWith(EXIT.unexpected);
  context.note(verdict(machine, checked, counts));
}

function verdict(
  machine: string,
  { entities, events, partitions, skipped }: FsckSummary,
  counts: Counts,
): string {
  const { repaired, repairable, manual, notice, unchecked } = counts;
  const problems = repairable + manual;
  const parts = [
    ...(repaired > 0 ? [`${repaired} repaired`] : []),
    ...(repairable > 0 ? [`${repairable} repairable with --repair`] : []),
    ...(manual > 0 ? [`${manual} manual`] : []),
    ...(notice > 0 ? [`${notice} that an older version of the machine may explain`] : []),
    ...(unchecked > 0 ? [`${countText(unchecked, "check")} not possible`] : []),
  ];
  const checked = [
    countText(entities, "entity", "entities"),
    countText(events, "event"),
    skipped > 0
      ? `${partitions} of ${countText(partitions + skipped, "partition")}`
      : countText(partitions, "partition"),
  ];
  const clean = skipped > 0 ? "has no problem in what was checked" : "is clean";
  const state = problems > 0 ? `has ${countText(problems, "problem")}` : clean;
  const details = parts.length > 0 ? `: ${parts.join(", ")}` : "";
  return `machine/${machine} ${state}${details} (${checked.join(", ")})`;
}

function findingColumns({ paint }: CliContext): readonly Column<Finding>[] {
  const { green, yellow, red, dim } = paint;
  const colours = { repaired: green, repairable: yellow, manual: red, notice: dim, unchecked: yellow };
  return [
    { title: "KIND", value: ({ kind }) => kind },
    { title: "ID", value: ({ id }) => id },
    { title: "RESULT", value: ({ result }) => result, paint: (text, { result }) => colours[result](text) },
    {
      title: "WHAT",
      value: ({ message, why }) => (why === undefined ? message : `${message}; ${why}`),
    },
  ];
}
