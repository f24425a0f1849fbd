// Shows the results as Markdown: first what each side gets wrong, then its speed at each place.
import { cpus } from "node:os";

const BLOCK = /(<!-- peers:begin -->\n).*?(<!-- peers:end -->)/s;
const PLACES = {
  network: "With 1 ms of network each way",
  loopback: "On loopback",
  disk: "On loopback, with every change on disk",
};
const WORKS = {
  life: "Lives of agents: changes per second, and in parentheses the throughput of latchkey divided by it",
  race: "Races for one agent: calls per second of all callers, and in parentheses the same ratio",
};
/** Number of callers whose CPU time and bytes are shown. */
const DETAILED = 64;
const FAULTS = {
  wonTwice: "won twice",
  lost: "acknowledged, then lost",
  contradicted: "events contradict state",
  stuck: "stuck",
  missed: "notifications missed",
  twice: "executed twice",
  disowned: "own change rejected",
};

/** Returns the page with its generated part replaced. */
export function pageWith(page, text) {
  if (!BLOCK.test(page)) throw new Error("the page has no part for the tables of the peers");
  return page.replace(BLOCK, (_, begin, end) => `${begin}${text}\n${end}`);
}

/** Returns all tables. */
export function tables({ names, summary, faults, servers, rounds, ms, load, proxy }) {
  const cpu = (cpus()[0]?.model ?? "unknown CPU").replace(/ \d+-Core Processor$/, "");
  const date = new Date().toISOString().slice(0, 10);
  const parts = [
    `Measured on ${date} with ${servers} on ${cpus().length} cores (${cpu}), Node ${process.version}. ` +
      `Speed: medians of ${rounds} interleaved rounds of ${ms} ms, at a load of ${load.join(" to ")}. ` +
      (proxy === undefined
        ? ""
        : `The proxy delayed by ${proxy.delay.toFixed(2)} ms and used ${percent(proxy.share)} of a core at most.`),
  ];
  if (faults.length > 0) parts.push("### What each side gets wrong", faultTable(names, faults));
  for (const [place, title] of Object.entries(PLACES)) {
    const cases = summary.filter((one) => one.place === place);
    if (cases.length > 0) parts.push(`### ${title}`, ...placeTables(names, cases));
  }
  return parts.join("\n\n");
}

function faultTable(names, faults) {
  const rows = faults.map(({ file, calls, cuts, kills, ...counts }) => [
    names[file],
    calls,
    `${cuts} / ${kills}`,
    ...Object.keys(FAULTS).map((kind) => (counts[kind] > 0 ? `**${counts[kind]}**` : counts[kind])),
  ]);
  return table([`${faults[0].entities} agents`, "calls", "cuts / kills", ...Object.values(FAULTS)], rows);
}

const INVALID =
  "Invalid: the proxy used too much of its core or delayed by too much, so a figure would show the limit of the proxy. " +
  "These comparisons are undecided.";

function placeTables(names, cases) {
  const works = Object.keys(WORKS).filter((work) => cases.some((one) => one.work === work));
  const speeds = works.map((work) => [
    `${WORKS[work]}:`,
    byCallers(names, cases, work, (row) => {
      const { throughput, ratio, goal } = row;
      if (throughput === undefined) return isInvalid(row) ? "invalid: the proxy was saturated" : "–";
      const text =
        ratio === undefined ? "" : ` (${ratio < goal ? `**${ratio.toFixed(2)}**` : ratio.toFixed(2)})`;
      return `${Math.round(throughput).toLocaleString("en")}${text}`;
    }),
    ...(cases.some((one) => one.work === work && one.rows.some(isInvalid)) ? [INVALID] : []),
  ]);
  const latencies = works.map((work) => [
    `Latency of a call in ms, 50 % / 99 % (${work}):`,
    byCallers(names, cases, work, ({ p50, p99 }) => `${number(p50, 2)} / ${number(p99, 1)}`),
  ]);
  const counts = cases.map(({ callers }) => callers);
  const detailed = counts.includes(DETAILED) ? DETAILED : counts.at(-1);
  const chosen = cases.filter(({ callers }) => callers === detailed);
  return [
    ...speeds,
    ...latencies,
    [`Cost of a call at ${detailed} callers:`, costs(names, cases, chosen)],
  ].flat();
}

function isInvalid({ throughput, invalid }) {
  return throughput === undefined && invalid > 0;
}

function byCallers(names, cases, work, cell) {
  const chosen = cases.filter((one) => one.work === work);
  const rows = chosen[0].rows.map(({ file }, i) => [names[file], ...chosen.map(({ rows }) => cell(rows[i]))]);
  return table(["callers", ...chosen.map(({ callers }) => callers)], rows);
}

/** Shows the costs of the chosen cases, and the races of all cases that were won twice. */
function costs(names, cases, chosen) {
  const hasBytes = chosen.some(({ rows }) => rows.some(({ bytes }) => bytes !== undefined));
  const heads = chosen.flatMap(({ work }) => [
    `${work}: client µs`,
    "server µs",
    ...(hasBytes ? ["bytes"] : []),
  ]);
  const rows = chosen[0].rows.map(({ file }, i) => {
    const won = cases.reduce((sum, one) => sum + one.rows[i].wonTwice, 0);
    const cells = chosen.flatMap(({ rows }) => {
      const { client, server, bytes } = rows[i];
      return [client, server, ...(hasBytes ? [bytes] : [])].map((value) => number(value, 0));
    });
    return [names[file], ...cells, won > 0 ? `**${won}**` : won];
  });
  return table(["per call", ...heads, "races won twice"], rows);
}

function number(value, digits) {
  return value === undefined || Number.isNaN(value) ? "–" : value.toFixed(digits);
}

function percent(share) {
  return `${Math.round(share * 100)} %`;
}

function table(heads, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}
