import type { CompiledMachine, CompiledState } from "./compiled.js";
import { durationText } from "./duration.js";

/**
 * Compares two machines and describes each difference in one line. It compares compiled machines, so `"7d"` and
 * `604800000` are equal.
 *
 * @returns an empty list exactly if both have the same `json`
 * @example
 * compareMachines(before, after); // ["version: 1 -> 2", "states.running.to: + paused", "states.paused: added"]
 */
export function compareMachines(before: CompiledMachine, after: CompiledMachine): string[] {
  const lines = [
    ...changes("", machineFacts(before), machineFacts(after)),
    ...compareStates(before.states, after.states),
  ];
  if (lines.length === 0 && before.json !== after.json) return ["the same definition with another spelling"];
  return lines;
}

type CompiledStates = CompiledMachine["states"];
type Facts = Readonly<Record<string, string | undefined>>;

function compareStates(before: CompiledStates, after: CompiledStates): string[] {
  const lines: string[] = [];
  for (const [name, state] of Object.entries(before)) {
    const next = Object.hasOwn(after, name) ? after[name] : undefined;
    if (next === undefined) lines.push(`states.${name}: removed`);
    else lines.push(...compareState(`states.${name}`, state, next));
  }
  for (const name of Object.keys(after))
    if (!Object.hasOwn(before, name)) lines.push(`states.${name}: added`);
  return [...lines, ...reordered("states", Object.keys(before), Object.keys(after))];
}

function compareState(path: string, before: CompiledState, after: CompiledState): string[] {
  return [
    ...compareLists(`${path}.to`, before.to, after.to),
    ...compareLists(`${path}.require`, before.require, after.require),
    ...changes(`${path}.`, stateFacts(before), stateFacts(after)),
  ];
}

function compareLists(path: string, before: readonly string[] = [], after: readonly string[] = []): string[] {
  return [
    ...before.filter((item) => !after.includes(item)).map((item) => `${path}: - ${item}`),
    ...after.filter((item) => !before.includes(item)).map((item) => `${path}: + ${item}`),
    ...reordered(path, before, after),
  ];
}

function reordered(path: string, before: readonly string[], after: readonly string[]): string[] {
  const kept = before.filter((item) => after.includes(item));
  const now = after.filter((item) => before.includes(item));
  return kept.every((item, at) => item === now[at]) ? [] : [`${path}: order changed`];
}

function changes(prefix: string, before: Facts, after: Facts): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names]
    .map((name) => [name, fact(before, name), fact(after, name)] as const)
    .filter(([, was, is]) => was !== is)
    .map(([name, was = "none", is = "none"]) => `${prefix}${name}: ${was} -> ${is}`);
}

function fact(facts: Facts, name: string): string | undefined {
  return Object.hasOwn(facts, name) ? facts[name] : undefined;
}

function machineFacts({ name, version, initial, history, events }: CompiledMachine): Facts {
  return {
    name,
    version: String(version),
    initial,
    history: String(history),
    "events.keep": String(events.keep),
  };
}

function stateFacts({ event, stamp, timeout, lease, retain }: CompiledState): Facts {
  return {
    event,
    stamp,
    ...deadlineFacts("timeout", "after", timeout?.after, timeout),
    ...deadlineFacts("lease", "for", lease?.for, lease),
    retain: retain === undefined ? undefined : durationText(retain),
  };
}

function deadlineFacts(
  name: "timeout" | "lease",
  length: "after" | "for",
  ms: number | undefined,
  deadline: { readonly to: string; readonly set?: Readonly<Record<string, string>> } | undefined,
): Facts {
  if (ms === undefined || deadline === undefined) return {};
  const fields = Object.entries(deadline.set ?? {});
  return {
    [`${name}.${length}`]: durationText(ms),
    [`${name}.to`]: deadline.to,
    ...Object.fromEntries(fields.map(([field, text]) => [`${name}.set.${field}`, text])),
  };
}
