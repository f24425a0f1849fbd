// Draws the throughput of all sides by number of callers as an SVG picture, one panel for each place.

const PANEL = { width: 330, height: 300, left: 60, top: 50, gap: 200 };
const FOOT = 60;
const TITLES = { network: "1 ms of network each way", loopback: "loopback" };
const COLOURS = ["#d6336c", "#495057", "#1c7ed6", "#f08c00", "#2f9e44", "#7048e8", "#0c8599", "#a9825a"];
const LABEL = 13;

/** Returns the picture of the lives of agents. */
export function chart(names, summary) {
  const places = Object.keys(TITLES).filter((place) => summary.some((one) => one.place === place));
  const cases = places.map((place) => summary.filter((one) => one.place === place && one.work === "life"));
  const values = cases.flat().flatMap(({ rows }) => rows.map(({ throughput }) => throughput));
  const known = values.filter((value) => value > 0);
  const decades = [Math.floor(Math.log10(Math.min(...known))), Math.ceil(Math.log10(Math.max(...known)))];
  const width = PANEL.left + places.length * (PANEL.width + PANEL.gap);
  const height = PANEL.top + PANEL.height + FOOT;
  const panels = cases.map((ofPlace, i) =>
    panel(names, ofPlace, TITLES[places[i]], PANEL.left + i * (PANEL.width + PANEL.gap), decades),
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="12">
<title>Changes per second by number of callers</title>
<rect width="${width}" height="${height}" rx="8" fill="#ffffff"/>
${panels.join("\n")}
</svg>
`;
}

function panel(names, cases, title, left, [low, high]) {
  const bottom = PANEL.top + PANEL.height;
  const x = (i) => left + (cases.length === 1 ? 0.5 : i / (cases.length - 1)) * PANEL.width;
  const y = (value) => bottom - ((Math.log10(value) - low) / (high - low)) * PANEL.height;
  const parts = [
    text(left + PANEL.width / 2, PANEL.top - 20, `changes per second, ${title}`, {
      anchor: "middle",
      weight: "bold",
    }),
    text(left + PANEL.width / 2, bottom + 40, "callers", { anchor: "middle" }),
  ];
  for (let decade = low; decade <= high; decade += 1) {
    const at = y(10 ** decade);
    parts.push(`<line x1="${left}" x2="${left + PANEL.width}" y1="${at}" y2="${at}" stroke="#dee2e6"/>`);
    parts.push(text(left - 8, at + 4, (10 ** decade).toLocaleString("en"), { anchor: "end" }));
  }
  for (const [i, { callers }] of cases.entries())
    parts.push(text(x(i), bottom + 20, callers, { anchor: "middle" }));
  const lines = cases[0].rows.flatMap(({ file }, side) => {
    const points = cases.flatMap(({ rows }, i) =>
      rows[side].throughput > 0 ? [[x(i), y(rows[side].throughput)]] : [],
    );
    return points.length === 0 ? [] : [{ file, points, colour: COLOURS[side % COLOURS.length] }];
  });
  for (const { file, points, colour } of lines) {
    const weight = file === "latchkey" ? 3.5 : 1.5;
    const path = points.map(([px, py]) => `${round(px)},${round(py)}`).join(" ");
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="${weight}"/>`);
  }
  return [...parts, ...labels(names, lines, left + PANEL.width + 8)].join("\n");
}

/** Writes the name of each line beside its end, moved down if it would cover another one. */
function labels(names, lines, left) {
  let last = Number.NEGATIVE_INFINITY;
  return lines
    .map((line) => ({ ...line, end: line.points.at(-1)[1] }))
    .sort((a, b) => a.end - b.end)
    .map(({ file, colour, end }) => {
      last = Math.max(end + 4, last + LABEL);
      return text(left, last, names[file], { colour, weight: file === "latchkey" ? "bold" : "normal" });
    });
}

function text(x, y, content, { anchor = "start", weight = "normal", colour = "#343a40" } = {}) {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" font-weight="${weight}" fill="${colour}">${content}</text>`;
}

const round = (value) => Math.round(value * 10) / 10;
