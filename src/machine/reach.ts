import type { MachineDefinition } from "./definition.js";
import type { KeyedProblem } from "./problem.js";

type Edges = ReadonlyMap<string, readonly string[]>;

/** Finds unreachable states and dead ends, which are valid but rarely intended. */
export function findOddStates(definition: MachineDefinition): KeyedProblem[] {
  const edges: Edges = new Map(
    Object.entries(definition.states).map(([name, state]) => [name, state.to ?? []]),
  );
  const warnings: KeyedProblem[] = [];
  const reachable = reach([definition.initial], edges);
  for (const state of edges.keys()) {
    if (reachable.has(state)) continue;
    const message = `cannot be reached from the initial state ${JSON.stringify(definition.initial)}`;
    warnings.push({ keys: ["states", state], message });
  }
  const finals = [...edges].filter(([, to]) => to.length === 0).map(([state]) => state);
  if (finals.length === 0) {
    return [
      ...warnings,
      { keys: ["states"], message: "no state is final: entities of this machine never end" },
    ];
  }
  const ending = reach(finals, reversed(edges));
  for (const state of edges.keys()) {
    if (ending.has(state)) continue;
    warnings.push({
      keys: ["states", state],
      message: "is a dead end: no final state can be reached from it",
    });
  }
  return warnings;
}

function reach(start: readonly string[], edges: Edges): Set<string> {
  const reached = new Set(start);
  for (const state of reached) for (const next of edges.get(state) ?? []) reached.add(next);
  return reached;
}

function reversed(edges: Edges): Edges {
  const back = new Map<string, string[]>([...edges.keys()].map((state) => [state, []]));
  for (const [from, targets] of edges) for (const to of targets) back.get(to)?.push(from);
  return back;
}
