// Shows the figures as Markdown, with the goals beside them.
import { cpus } from "node:os";
import { CASES } from "./workload.mjs";

const NATIVE = { transition: 1.5, create: 1.9, patch: 1.6, heartbeat: 1.5 };
const AFTERNOON = 2;
const REJECTED = 0.5;
const LARGE = 1.1;
const FILE = 800;
const MEMORY = { 3: 1200 };
const TABLES = /(<!-- tables:begin -->\n).*?(<!-- tables:end -->)/s;

/** Returns the page with its tables replaced. */
export function pageWith(page, text) {
  return page.replace(TABLES, (_, begin, end) => `${begin}${text}\n${end}`);
}

/** Returns each figure with its goal: the case, the columns' ratios, and their goals if there are any. */
function ratios({ times }) {
  return CASES.filter(({ name }) => times[name]).map((one) => {
    const { script, native, afternoon } = times[one.name];
    const plain = CASES.find(
      (other) => other.operation === one.operation && other.op === one.op && other.outcome === "OK",
    );
    const compared = plain === one ? undefined : times[plain.name]?.script;
    return {
      name: one.name,
      figures: [
        [script / native, NATIVE[one.operation]],
        [script / afternoon, AFTERNOON],
        [script / compared, one.outcome === "OK" ? LARGE : REJECTED],
      ],
    };
  });
}

/** Returns a line for each figure that exceeds its goal by more than this factor. */
export function exceeded(results, factor) {
  const { file, memory } = results.footprint ?? { file: {}, memory: {} };
  const lines = [
    ...ratios(results).flatMap(({ name, figures }) => figures.map(([value, goal]) => [name, value, goal])),
    ...Object.entries(file).map(([name, value]) => [`bytes of ${name} in the append-only file`, value, FILE]),
    ...Object.entries(memory).map(([count, value]) => [
      `memory after ${count} changes`,
      value,
      MEMORY[count],
    ]),
  ];
  return lines
    .filter(([, value, goal]) => value > goal * factor)
    .map(([name, value, goal]) => `${name}: ${value.toFixed(2)} exceeds the goal of ${goal}`);
}

/** Returns both tables, with what they were measured on. */
export function tables(results) {
  const { entities, rounds, server, footprint } = results;
  const processors = cpus();
  const rows = ratios(results).map(({ name, figures }) => [name, ...figures.map(shown)]);
  const parts = [
    `Measured on ${new Date().toISOString().slice(0, 10)} with ${server} on ${processors.length} cores ` +
      `(${processors[0]?.model.trim()}), ${entities} entities, ${rounds} rounds.`,
    table(["call", "÷ native commands", "÷ afternoon script", "÷ accepted call"], rows),
  ];
  if (footprint !== undefined) parts.push(table(["bytes", "measured", "goal"], footprintRows(footprint)));
  return parts.join("\n\n");
}

function footprintRows({ file, memory }) {
  return [
    ...Object.entries(file).map(([name, bytes]) => [
      `append-only file, per ${name}`,
      Math.round(bytes),
      FILE,
    ]),
    ...Object.entries(memory).map(([count, bytes]) => [
      `memory of an entity with ${count} changes`,
      Math.round(bytes),
      MEMORY[count] ?? "",
    ]),
  ];
}

/** Shows a ratio with its goal, such as "1.48 (1.5)"; a figure that exceeds its goal is bold. */
function shown([value, goal]) {
  if (!Number.isFinite(value)) return "";
  const text = value.toFixed(2);
  if (goal === undefined) return text;
  return `${value > goal ? `**${text}**` : text} (${goal})`;
}

function table(head, rows) {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
