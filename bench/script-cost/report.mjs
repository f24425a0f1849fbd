// Shows the figures as Markdown, with the goals beside them.
import { cpus } from "node:os";
import { CASES } from "./workload.mjs";

const NATIVE = { transition: 1.5, create: 1.9, patch: 1.6, heartbeat: 1.5 };
const AFTERNOON = 2;
const REJECTED = 0.5;
const LARGE = 1.1;
const FILE = 800;
const MEMORY = { 3: 1200 };
/** `--check` fails beyond these, which no run on a quiet machine has reached: something became slower or larger. */
const LIMITS = {
  native: { transition: 1.9, create: 3, patch: 2.4, heartbeat: 2.2 },
  afternoon: 3.7,
  rejected: 0.9,
  large: 1.3,
  file: 1150,
  memory: { 3: 1200, 32: 7000 },
};
const TABLES = /(<!-- tables:begin -->\n).*?(<!-- tables:end -->)/s;

/** Returns the page with its tables replaced. */
export function pageWith(page, text) {
  return page.replace(TABLES, (_, begin, end) => `${begin}${text}\n${end}`);
}

/** Returns each figure: the case, the columns' ratios, and their goals and limits if there are any. */
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
        [script / native, NATIVE[one.operation], LIMITS.native[one.operation]],
        one.outcome === "OK" ? [script / afternoon, AFTERNOON, LIMITS.afternoon] : [script / afternoon],
        one.outcome === "OK"
          ? [script / compared, LARGE, LIMITS.large]
          : [script / compared, REJECTED, LIMITS.rejected],
      ],
    };
  });
}

/** Returns a line for each figure that exceeds its limit. */
export function exceeded(results) {
  const { file, memory } = results.footprint ?? { file: {}, memory: {} };
  const figures = [
    ...ratios(results).flatMap((one) => one.figures.map(([value, , limit]) => [one.name, value, limit])),
    ...Object.entries(file).map(([name, bytes]) => [`append-only file, per ${name}`, bytes, LIMITS.file]),
    ...Object.entries(memory).map(([count, bytes]) => [
      `memory after ${count} changes`,
      bytes,
      LIMITS.memory[count],
    ]),
  ];
  return figures
    .filter(([, value, limit]) => value > limit)
    .map(([name, value, limit]) => `${name}: ${value.toFixed(2)} exceeds ${limit}`);
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
