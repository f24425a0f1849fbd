// Reduces the rounds of the speed runs to medians, and compares them with the goals.

const FIGURES = ["throughput", "p50", "p99", "client", "server", "bytes"];
/** Least throughput of latchkey as a multiple of another side's, by place. */
const GOALS = {
  network: { replaced: 3, watch: 1, redlock: 1, bullmq: 1, postgres: 1 },
  loopback: { replaced: 1, watch: 1, redlock: 1, bullmq: 1, postgres: 1 },
  disk: { replaced: 1, watch: 1, redlock: 1, bullmq: 1, postgres: 1 },
};
/** `--check` fails below this share of a goal: latchkey became slower. The rest is noise. */
const TOLERANCE = 0.6;

function median(values) {
  const known = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  return known[known.length >> 1];
}

/** Returns the medians of each side by place, work and callers. Rounds with a saturated proxy do not count. */
export function summarize(measured) {
  return measured.map(({ place, work, callers, figures }) => {
    const reference = figures.find(({ file }) => file === "latchkey")?.rounds;
    const rows = figures.map(({ file, rounds }) => {
      const valid = rounds.filter(({ isSaturated }) => !isSaturated);
      const medians = FIGURES.map((figure) => [figure, median(valid.map((round) => round[figure]))]);
      const ratios = rounds.flatMap((round, i) =>
        !(round.throughput > 0) || reference === undefined || round.isSaturated || reference[i].isSaturated
          ? []
          : [reference[i].throughput / round.throughput],
      );
      const sum = (key) => rounds.reduce((total, round) => total + round[key], 0);
      return {
        file,
        ...Object.fromEntries(medians),
        ratio: median(ratios),
        goal: GOALS[place][file],
        invalid: rounds.length - valid.length,
        wonTwice: sum("wonTwice"),
        failed: sum("failed"),
      };
    });
    return { place, work, callers, rows };
  });
}

/** Returns a line for each goal that was missed. */
export function missedGoals(summary, share = 1) {
  return summary.flatMap(({ place, work, callers, rows }) =>
    rows
      .filter(({ ratio, goal }) => ratio < goal * share)
      .map(
        ({ file, ratio, goal }) =>
          `${place}, ${work}, ${callers} callers: ${ratio.toFixed(2)} times the throughput of ${file}; the goal is ${goal}`,
      ),
  );
}

/** Returns a line for each result that fails `--check`. The speed is not judged if the run was too short for it. */
export function failures(summary, faults, judgesSpeed) {
  const ownFaults = faults
    .filter(({ file }) => file === "latchkey")
    .flatMap((counts) =>
      ["wonTwice", "lost", "contradicted", "stuck", "missed", "twice", "disowned"]
        .filter((kind) => counts[kind] > 0)
        .map((kind) => `latchkey under faults: ${kind} ${counts[kind]}`),
    );
  const wonTwice = summary
    .filter(({ rows }) => rows.some(({ file, wonTwice }) => file === "latchkey" && wonTwice > 0))
    .map(({ place, callers }) => `latchkey: an agent was won twice (${place}, ${callers} callers)`);
  return [...ownFaults, ...wonTwice, ...(judgesSpeed ? missedGoals(summary, TOLERANCE) : [])];
}
