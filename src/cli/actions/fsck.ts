import { checkName } from "../../contract/arguments.js";
import type { Finding } from "../../fsck/finding.js";
import { type FsckProgress, type FsckSummary, fsck } from "../../fsck/fsck.js";
import { MACHINE_NAME } from "../../machine/names.js";
import type { FsckFlags } from "../commands/fsck.js";
import type { CliContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import type { Settings } from "../input/settings.js";
import { jsonFor } from "../output/documents.js";
import { ProgressLine } from "../output/progress-line.js";
import { TableLines } from "../output/table.js";
import { withConnection } from "../session.js";

/** How many findings ended how. */
type Counts = Record<Finding["result"], number>;

/** Checks a machine and shows findings as they are made; at the end a verdict on stderr, and in JSON with them. */
export async function runFsck(context: CliContext, settings: Settings, flags: FsckFlags): Promise<void> {
  const { namespace, format } = settings;
  const machine = checkName(MACHINE_NAME, settings.machine);
  checkName({ ...MACHINE_NAME, kind: "namespace" }, namespace);
  const signal = context.interruption(true);
  const progress = new ProgressLine(process.stderr);
  const counts: Counts = { repaired: 0, repairable: 0, manual: 0, notice: 0, unchecked: 0 };
  const table = new TableLines(columns(context));
  const findings: Finding[] = [];
  const show = async (text: string): Promise<void> => {
    if (text === "") return;
    progress.clear();
    await context.write(text);
  };
  const take = async (finding: Finding): Promise<void> => {
    counts[finding.result] += 1;
    if (format === "json") findings.push(finding);
    else if (format === "jsonl") await show(`${jsonFor(context, JSON.stringify(finding))}\n`);
    else await show(table.add(finding));
  };
  const checked = await withConnection(
    settings,
    async (connection) => {
      const onProgress = ({ partition, partitions, entities, events }: FsckProgress): void => {
        const where = partitions === 1 ? "" : `partition ${partition + 1} of ${partitions}: `;
        progress.show(`checking ${machine}: ${where}${entities} entities, ${events} events`);
      };
      const steps = fsck(connection, namespace, machine, { ...flags, signal, onProgress });
      for (;;) {
        const step = await steps.next();
        if (step.done === true) return step.value;
        await take(step.value);
      }
    },
    { signal },
  ).finally(() => progress.clear());
  if (format === "table" && findingsIn(counts) > 0) await show(table.end());
  if (format === "json") {
    const report = { machine, namespace, ...checked, ...counts, findings };
    await context.write(`${jsonFor(context, JSON.stringify(report))}\n`);
  }
  if (counts.manual + counts.repairable > 0) context.exitWith(EXIT.unexpected);
  context.note(verdict(machine, checked, counts));
}

function findingsIn(counts: Counts): number {
  return Object.values(counts).reduce((sum, n) => sum + n, 0);
}

function verdict(machine: string, { entities, events, partitions }: FsckSummary, counts: Counts): string {
  const { repaired, repairable, manual, notice, unchecked } = counts;
  const problems = repairable + manual;
  const parts = [
    ...(repaired > 0 ? [`${repaired} repaired`] : []),
    ...(repairable > 0 ? [`${repairable} repairable with --repair`] : []),
    ...(manual > 0 ? [`${manual} manual`] : []),
    ...(notice > 0 ? [`${notice} that an older version of the machine may explain`] : []),
    ...(unchecked > 0 ? [`${counted(unchecked, "check")} not possible`] : []),
  ];
  const checked = [
    counted(entities, "entity", "entities"),
    counted(events, "event"),
    counted(partitions, "partition"),
  ];
  const state = problems > 0 ? `has ${counted(problems, "problem")}` : "is clean";
  const details = parts.length > 0 ? `: ${parts.join(", ")}` : "";
  return `machine/${machine} ${state}${details} (${checked.join(", ")})`;
}

function counted(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

function columns({ paint }: CliContext) {
  const colours = {
    repaired: paint.green,
    repairable: paint.yellow,
    manual: paint.red,
    notice: paint.dim,
    unchecked: paint.yellow,
  };
  return [
    { title: "KIND", value: ({ kind }: Finding) => kind },
    { title: "ID", value: ({ id }: Finding) => id },
    {
      title: "RESULT",
      value: ({ result }: Finding) => result,
      paint: (text: string, { result }: Finding) => colours[result](text),
    },
    {
      title: "WHAT",
      value: ({ message, why }: Finding) => (why === undefined ? message : `${message}; ${why}`),
    },
  ];
}
