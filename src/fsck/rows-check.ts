import type { CompiledState } from "../machine/compiled.js";
import { machinesKey } from "../valkey/keys.js";
import type { Defect } from "./finding.js";
import type { Partition } from "./partition.js";
import type { StoredMachine } from "./stored-machine.js";

const WHY = "apply the definition again under a higher version, which writes the whole machine again";

/** Checks that a partition's list of machines has the machine with its version. */
export function checkListed({ location, number }: Partition, { rows, listed }: StoredMachine): Defect[] {
  const version = rows.get("version");
  if (listed === version) return [];
  const key = machinesKey(location.namespace, number);
  const message = `it has ${listed === null ? "no" : `version ${listed} of`} ${location.machine}; version ${version} is installed`;
  return [{ kind: "machine-unlisted", id: "", key, message, why: "apply the definition again" }];
}

/** Checks that the compiled machine is consistent: it has one row for each possible change, equal if the target is. */
export function checkRows({ keys }: Partition, machine: StoredMachine): Defect[] {
  return rowProblems(machine).map((message) => ({
    ...{ kind: "machine-broken", id: "", key: keys.machine, message, why: WHY },
  }));
}

function rowProblems({ rows, ordinals, definition }: StoredMachine): string[] {
  if (definition === undefined) return ["its definition is missing or not readable"];
  if (rows.get("layout") !== "2") return ["its layout is missing or wrong"];
  const { name, version, initial, states } = definition;
  if (rows.get("name") !== name || rows.get("version") !== String(version)) {
    return ["its name or version differs from its definition"];
  }
  const absent = Object.keys(states).filter((state) => !ordinals.includes(state));
  if (absent.length > 0 || new Set(ordinals).size !== ordinals.length) {
    return ["its list of states is incomplete or has duplicates"];
  }
  const plain = ["layout", "name", "version", "definition", "states", "floor"];
  const moves = Object.entries(states).flatMap(([from, { to = [] }]) =>
    to.map((state) => `${from}>${state}`),
  );
  const wanted = [
    ...["-", ">", ...moves],
    ...Object.keys(states).flatMap((state) => [`=${state}`, `>${state}`]),
  ];
  const timers = Object.entries(states).flatMap(([state, spec]) => timerRows(state, spec));
  const dropped = ordinals.filter((state) => !Object.hasOwn(states, state));
  const isLeftover = (row: string): boolean =>
    dropped.some((state) => row === `=${state}` || row.startsWith(`${state}>`));
  const missing = [...wanted, ...timers.map(([row]) => row)]
    .filter((row) => !rows.has(row))
    .map((row) => `its row ${row} is missing`);
  const extra = [...rows.keys()]
    .filter((row) => !plain.includes(row) && !wanted.includes(row) && !isLeftover(row))
    .filter((row) => !timers.some(([name]) => name === row))
    .map((row) => `its row ${JSON.stringify(row.slice(0, 80))} belongs to no transition`);
  // All transitions to a state have the row of that state. A row ends with the beginning of the document.
  const unlike = moves.filter((move) => rows.get(move) !== rows.get(move.slice(move.indexOf(">"))));
  const begin = rows.get(">") === `${initial} ${rows.get(`>${initial}`)}` ? [] : [">"];
  const foreign = wanted.filter((row) => rows.has(row) && !isRowOf(rows.get(row) ?? "", name));
  const other = timers.flatMap(([row, text]) => (sameRow(rows.get(row), text) ? [] : [row]));
  const wrong = [...new Set([...unlike, ...begin, ...foreign, ...other])].filter((row) => rows.has(row));
  return [...missing, ...extra, ...wrong.map((row) => `its row ${row} differs from what apply wrote`)];
}

/** Returns the rows of a state's timers as apply writes them: the lengths and targets, and the fields that each sets. */
function timerRows(state: string, { timeout, lease, retain }: CompiledState): [row: string, text: string][] {
  if (timeout === undefined && lease === undefined && retain === undefined) return [];
  const words = [3, timeout?.after, lease?.for, retain, timeout?.to, lease?.to];
  const sets = Object.entries({ timeout, lease }).flatMap(([kind, timer]): [string, string][] => {
    const set = Object.entries(timer?.set ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    return set.length === 0 ? [] : [[`@${state} ${kind}`, JSON.stringify(set.flat())]];
  });
  return [[`@${state}`, words.map((word) => word ?? "").join(" ")], ...sets];
}

/** Compares rows as JSON values, because the server's encoder escapes other characters than JavaScript's. */
function sameRow(row: string | undefined, text: string): boolean {
  if (row === undefined || row === text) return true;
  try {
    return JSON.stringify(JSON.parse(row)) === text;
  } catch {
    return false;
  }
}

function isRowOf(row: string, machine: string): boolean {
  return row.endsWith(`","machine":"${machine}","id":"\0`);
}

/** Checks that a partition has the same machine as the first one, apart from the position of the tombstones that it has trimmed. */
export function checkEqual(
  { keys }: Partition,
  installed: StoredMachine | undefined,
  first: StoredMachine,
): Defect[] {
  const at = { id: "", key: keys.machine };
  if (installed === undefined) {
    const message = "this partition has no machine, or its key has the wrong type";
    const why = "if the key has another type, rename it; then apply the definition again";
    return [{ ...at, kind: "machine-missing", message, why }];
  }
  const names = new Set([...installed.rows.keys(), ...first.rows.keys()]);
  names.delete("floor");
  const unlike = [...names].filter((name) => installed.rows.get(name) !== first.rows.get(name)).sort();
  if (unlike.length === 0) return [];
  const shown = unlike.slice(0, 3).map((name) => JSON.stringify(name.slice(0, 80)));
  const message = `it differs from the first partition in ${shown.join(", ")}${unlike.length > 3 ? " and more" : ""}`;
  return [{ ...at, kind: "machine-differs", message, why: WHY }];
}
