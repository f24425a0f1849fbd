// Draws what a command leaves on a terminal as an SVG picture.
//
//   node scripts/terminal-svg.mjs PICTURE COMMAND [ARGUMENT...]   runs the command on a terminal of its own
//   node scripts/terminal-svg.mjs PICTURE < CAPTURE               reads recorded terminal output
//
// The same output gives the same picture. Running a command needs `script` of util-linux.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

const COLUMNS = 100;
const [CELL, LINE, FONT, MARGIN, BAR] = [8.4, 19, 14, 18, 34];
const FOREGROUND = "#d7dae0";
const COLOURS = ["#5c6370", "#f26d78", "#7fd88f", "#e5c07b", "#61afef", "#c678dd", "#56c8d8", FOREGROUND];

/** Runs a command on a terminal that is high enough for everything it prints. */
function record(command) {
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const onTerminal = `stty cols ${COLUMNS} rows 500; ${quoted}`;
  const env = { ...process.env, TERM: "xterm-256color", NO_COLOR: "", npm_config_loglevel: "silent" };
  const options = { encoding: "utf8", env, maxBuffer: 2 ** 26, stdio: ["ignore", "pipe", "inherit"] };
  const { status, stdout, error } = spawnSync("script", ["-qefc", onTerminal, "/dev/null"], options);
  if (error) throw error;
  if (status !== 0) throw new Error(`"${command.join(" ")}" ended with ${status}:\n${stdout}`);
  return stdout;
}

/** Replays terminal output and returns the final screen: lines of cells, each a character with its style. */
function replay(output) {
  const lines = [[]];
  let [row, column, style] = [0, 0, {}];
  const goTo = (target) => {
    row = Math.max(0, target);
    while (lines.length <= row) lines.push([]);
  };
  const put = (character) => {
    const line = lines[row];
    while (line.length < column) line.push({ character: " ", style: {} });
    line[column] = { character, style };
    column += 1;
  };
  const controls = {
    A: (n) => goTo(row - n),
    B: (n) => goTo(row + n),
    C: (n) => (column += n),
    G: (n) => (column = n - 1),
    J: () => lines.splice(row, Infinity, lines[row].slice(0, column)),
    K: () => lines[row].splice(column),
  };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
  for (const [token, parameters, control] of output.matchAll(/\u001b\[([\d;?]*)([A-Za-z])|[\s\S]/gu)) {
    if (token === "\n") goTo(row + 1);
    else if (token === "\r") column = 0;
    else if (control === "m") style = restyle(style, parameters);
    else if (control in controls) controls[control](Number(parameters || 1));
    else if (control === undefined && token >= " ") put(token);
    else if (!parameters?.startsWith("?")) throw new Error(`unsupported control ${JSON.stringify(token)}`);
  }
  while (lines.at(-1)?.length === 0) lines.pop();
  return lines;
}

/** Applies the parameters of an SGR sequence (colours, bold, dim) to a style. */
function restyle(style, parameters) {
  const next = { ...style };
  for (const code of (parameters || "0").split(";").map(Number)) {
    if (code === 0) for (const name of Object.keys(next)) delete next[name];
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 22) next.bold = next.dim = undefined;
    else if (code === 39) next.colour = undefined;
    else if (code >= 30 && code <= 37) next.colour = COLOURS[code - 30];
    else if (code >= 90 && code <= 97) next.colour = COLOURS[code - 90];
    else throw new Error(`unsupported style ${code}`);
  }
  return next;
}

/** Cuts a line into runs of one style. Blocks (█), which fonts draw with gaps, are runs of their own. */
function runsOf(line) {
  const runs = [];
  line.forEach(({ character, style }, at) => {
    const key = JSON.stringify([style.colour, style.bold, style.dim, character === "█"]);
    if (runs.at(-1)?.key === key) runs.at(-1).text += character;
    else runs.push({ key, at, style, text: character });
  });
  return runs.filter(({ text }) => text.trim() !== "");
}

/** Draws a run. Spaces become no-break spaces, because SVG collapses plain ones. */
function drawRun({ at, style, text }, baseline) {
  const indent = text.length - text.trimStart().length;
  const shown = text.trim();
  const [x, width] = [round(MARGIN + (at + indent) * CELL), round(shown.length * CELL)];
  const fill = style.colour ?? FOREGROUND;
  if (shown.startsWith("█")) {
    return `<rect x="${x}" y="${baseline - 13}" width="${width}" height="${LINE - 5}" fill="${fill}"/>`;
  }
  const look = `${style.bold ? ' font-weight="bold"' : ""}${style.dim ? ' opacity="0.6"' : ""}`;
  const escaped = escapeXml(shown).replaceAll(" ", "\u00a0");
  return `<text x="${x}" y="${baseline}" textLength="${width}" fill="${fill}"${look}>${escaped}</text>`;
}

function draw(lines, title) {
  const width = round(2 * MARGIN + Math.max(60, ...lines.map((line) => line.length)) * CELL);
  const height = BAR + lines.length * LINE + MARGIN;
  const baseline = (at) => BAR + at * LINE + FONT;
  const text = lines.flatMap((line, at) => runsOf(line).map((run) => drawRun(run, baseline(at))));
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(title)}">`,
    `<rect width="100%" height="100%" rx="8" fill="#1b1e25"/>`,
    ...["#f26d78", "#e5c07b", "#7fd88f"].map(
      (fill, at) => `<circle cx="${20 + at * 18}" cy="17" r="5.5" fill="${fill}"/>`,
    ),
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${FONT}">`,
    ...text,
    "</g>",
    "</svg>",
  ].join("\n")}\n`;
}

function round(number) {
  return Math.round(number * 10) / 10;
}

function escapeXml(text) {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

const [picture, ...command] = process.argv.slice(2);
if (picture === undefined) {
  console.error("usage: node scripts/terminal-svg.mjs PICTURE [COMMAND [ARGUMENT...]]");
  process.exit(2);
}
const output = command.length === 0 ? readFileSync(0, "utf8") : record(command);
const prompt = command.length === 0 ? "" : `\u001b[2m$\u001b[0m ${command.join(" ")}\r\n`;
mkdirSync(dirname(picture), { recursive: true });
writeFileSync(
  picture,
  draw(replay(prompt + output), `Terminal after ${command.join(" ") || "a recorded run"}`),
);
