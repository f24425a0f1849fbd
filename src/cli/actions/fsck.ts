import { checkName } from "../../contract/arguments.js";
import type { Finding } from "../../fsck/finding.js";
import { type Checked, fsck, type Progress } from "../../fsck/fsck.js";
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
  const counts: Counts = { mended: 0, mendable: 0, left: 0, notice: 0, unchecked: 0 };
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
      const onProgress = ({ partition, partitions, entities, events }: Progress): void => {
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
  if (counts.left + counts.mendable > 0) context.exitWith(EXIT.unexpected);
  context.note(verdict(machine, checked, counts));
}

function findingsIn(counts: Counts): number {
  return Object.values(counts).reduce((sum, n) => sum + n, 0);
}

function verdict(machine: string, { entities, events, partitions }: Checked, counts: Counts): string {
  const { mended, mendable, left, notice, unchecked } = counts;
  const parts = [
    ...(mended > 0 ? [`${mended} mended`] : []),
    ...(mendable > 0 ? [`${mendable} that --repair mends`] : []),
    ...(left > 0 ? [`${left} that can't be mended here`] : []),
    ...(notice > 0 ? [`${notice} that an older version of the machine may explain`] : []),
    ...(unchecked > 0 ? [`${unchecked} that could not be checked here`] : []),
  ];
  const checked = [
    counted(entities, "entity", "entities"),
    counted(events, "event"),
    counted(partitions, "partition"),
  ];
  const state = mendable + left > 0 ? "has damage" : mended > 0 ? "had damage" : "is clean";
  return `machine/${machine} ${[state, ...parts].join(", ")} (${checked.join(", ")})`;
}

function counted(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

function columns({ paint }: CliContext) {
  const colours = {
    mended: paint.green,
    mendable: paint.yellow,
    left: paint.red,
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
