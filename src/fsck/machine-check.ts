import type { CompiledMachine, CompiledState } from "../machine/compiled.js";
import type { Part } from "./entity-places.js";
import type { Defect } from "./finding.js";
import type { Installed } from "./installed.js";

const WHY = "apply the definition again under a higher version: that writes the whole machine anew";

/** The compiled machine hangs together: a row for each thing that may happen, alike where they lead to the same. */
export function checkRows({ keys }: Part, { rows, ordinals, definition }: Installed): Defect[] {
  const broken = (message: string): Defect => ({
    kind: "machine-broken",
    id: "",
    key: keys.machine,
    message,
    why: WHY,
  });
  if (definition === undefined) return [broken("its definition is missing or can't be read")];
  if (rows.get("layout") !== "1") return [broken("its layout is missing or wrong")];
  const { name, version, states } = definition;
  if (rows.get("name") !== name || rows.get("version") !== String(version)) {
    return [broken("its name or version is not that of its definition")];
  }
  const absent = Object.keys(states).filter((state) => !ordinals.includes(state));
  if (absent.length > 0 || new Set(ordinals).size !== ordinals.length) {
    return [broken("its list of states lacks some, or has some twice")];
  }
  return rowProblems(rows, definition, ordinals).map(broken);
}

function rowProblems(
  rows: ReadonlyMap<string, string>,
  { name, initial, states }: CompiledMachine,
  ordinals: readonly string[],
): string[] {
  const plain = ["layout", "name", "version", "definition", "states", "removed"];
  const moves = Object.entries(states).flatMap(([from, { to = [] }]) =>
    to.map((state) => `${from}>${state}`),
  );
  const wanted = [
    ...["-", ">", ...moves],
    ...Object.keys(states).flatMap((state) => [`=${state}`, `>${state}`]),
  ];
  const timers = Object.entries(states).flatMap(([state, spec]) => timerRows(state, spec));
  const dropped = ordinals.filter((state) => !Object.hasOwn(states, state));
  const isLeftOver = (row: string): boolean =>
    dropped.some((state) => row === `=${state}` || row.startsWith(`${state}>`));
  const missing = [...wanted, ...timers.map(([row]) => row)]
    .filter((row) => !rows.has(row))
    .map((row) => `its row ${row} is missing`);
  const extra = [...rows.keys()]
    .filter((row) => !plain.includes(row) && !wanted.includes(row) && !isLeftOver(row))
    .filter((row) => !timers.some(([name]) => name === row))
    .map((row) => `its row ${JSON.stringify(row.slice(0, 80))} belongs to no transition`);
  // One row says all about entering a state, wherever from; the head of the document stands at its end.
  const unlike = moves.filter((move) => rows.get(move) !== rows.get(move.slice(move.indexOf(">"))));
  const begin = rows.get(">") === `${initial} ${rows.get(`>${initial}`)}` ? [] : [">"];
  const foreign = wanted.filter((row) => rows.has(row) && !isRowOf(rows.get(row) ?? "", name));
  const other = timers.flatMap(([row, text]) => (sameRow(rows.get(row), text) ? [] : [row]));
  const wrong = [...new Set([...unlike, ...begin, ...foreign, ...other])].filter((row) => rows.has(row));
  return [...missing, ...extra, ...wrong.map((row) => `its row ${row} is not what apply wrote`)];
}

/** The rows of a state's timers as apply writes them, each with its text: when what ends, and what each of them sets. */
function timerRows(state: string, { timeout, lease, retain }: CompiledState): [row: string, text: string][] {
  if (timeout === undefined && lease === undefined && retain === undefined) return [];
  const words = [2, timeout?.after, lease?.for, retain, timeout?.to, lease?.to];
  const sets = Object.entries({ timeout, lease }).flatMap(([kind, timer]): [string, string][] => {
    const set = Object.entries(timer?.set ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    return set.length === 0 ? [] : [[`@${state} ${kind}`, JSON.stringify(set.flat())]];
  });
  return [[`@${state}`, words.map((word) => word ?? "").join(" ")], ...sets];
}

/** The server's encoder escapes other characters than JavaScript's. */
function sameRow(row: string | undefined, text: string): boolean {
  if (row === undefined || row === text) return true;
  try {
    return JSON.stringify(JSON.parse(row)) === text;
  } catch {
    return false;
  }
}

function isRowOf(row: string, machine: string): boolean {
  return row.endsWith(`","machine":"${machine}","id":"`);
}

/** Every partition holds the same machine, apart from when an entity was last removed there. */
export function checkAlike(part: Part, installed: Installed | undefined, first: Installed): Defect[] {
  const { machine: key } = part.keys;
  const why = "if another type of key is in its place, rename it; then apply the definition again";
  if (installed === undefined) {
    return [
      {
        kind: "machine-missing",
        id: "",
        key,
        message: "this partition has no machine, or something else in its place",
        why,
      },
    ];
  }
  const names = new Set([...installed.rows.keys(), ...first.rows.keys()]);
  names.delete("removed");
  const unlike = [...names].filter((name) => installed.rows.get(name) !== first.rows.get(name)).sort();
  if (unlike.length === 0) return [];
  const shown = unlike.slice(0, 3).map((name) => JSON.stringify(name.slice(0, 80)));
  const message = `differs from the first partition in ${shown.join(", ")}${unlike.length > 3 ? " and more" : ""}`;
  return [{ kind: "machine-differs", id: "", key, message, why: WHY }];
}
