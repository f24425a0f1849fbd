import type { Change } from "../../store/document.js";
import { type Check, type Evidence, groupBy, type Histories } from "./evidence.js";

/** Every change in the log was won by exactly one replica, and every win is in the log. */
export function wonOnce({ calls }: Evidence, { changes }: Histories): Check {
  const faults: string[] = [];
  const wins = calls.filter(({ outcome }) => outcome === "OK");
  for (const [transition, claims] of groupBy(wins, ({ id, to }) => `${id} to ${to}`)) {
    if (claims.length > 1) faults.push(`${transition} was won by ${names(claims)}`);
  }
  const logged = groupBy(changes, placeOf);
  for (const [place, same] of logged) {
    if (same.length > 1) faults.push(`${place} is in the log ${same.length} times`);
  }
  const claimed = groupBy(wins, placeOf);
  for (const [place, claims] of claimed) {
    const [change] = logged.get(place) ?? [];
    if (change === undefined) faults.push(`${names(claims)} won ${place}, which is not in the log`);
    for (const { replica, to } of change === undefined ? [] : claims) {
      const op = `${replica}:${to}`;
      if (change?.op !== op) faults.push(`${replica} won ${place}, where the log has the op ${change?.op}`);
    }
  }
  for (const place of logged.keys()) {
    if (!claimed.has(place)) faults.push(`${place} is in the log, but no replica won it`);
  }
  const text = `each transition was won once: ${changes.length} changes logged, ${wins.length} wins counted`;
  return { name: "won-once", text, faults };
}

/** Every transition was tried by all replicas, and each loser was told a state that the log confirms. */
export function losersWereTold({ calls, replicas }: Evidence, { changes }: Histories): Check {
  const faults: string[] = [];
  const transitions = groupBy(calls, ({ id, to }) => `${id} to ${to}`);
  for (const [transition, tries] of transitions) {
    const tried = new Set(tries.map(({ replica }) => replica)).size;
    if (tried !== replicas || tries.length !== replicas) {
      faults.push(`${transition} was tried ${tries.length} times, by ${tried} of ${replicas} replicas`);
    }
    if (!tries.some(({ outcome }) => outcome === "OK")) faults.push(`${transition} was won by nobody`);
  }
  const logged = groupBy(changes, placeOf);
  const refusals = calls.filter(({ outcome }) => outcome !== "OK");
  for (const refusal of refusals) {
    const { replica, outcome, state } = refusal;
    if (outcome !== "EXISTS" && outcome !== "ILLEGAL") {
      faults.push(`${replica} was refused with ${outcome} for ${refusal.id} to ${refusal.to}`);
    } else if (logged.get(placeOf(refusal))?.[0]?.state !== state) {
      faults.push(`${replica} was told that ${placeOf(refusal)} is ${state}, which the log does not confirm`);
    }
  }
  const text = `all ${replicas} replicas tried each: ${refusals.length} refusals, with the state that had won`;
  return { name: "losers-told", text, faults };
}

/** Every agent has a whole history: versions 1, 2, 3 and so on in order, times that never run back, a final state. */
export function isContiguous({ endings, machine }: Evidence, { byId }: Histories): Check {
  const faults: string[] = [];
  for (const id of endings.keys()) if (!byId.has(id)) faults.push(`${id} is not in the log`);
  for (const [id, history] of byId) {
    if (!endings.has(id)) faults.push(`${id} is in the log, but nobody ran it`);
    history.forEach(({ version, timestamp }, at) => {
      if (version !== at + 1) faults.push(`${id} has version ${version} where ${at + 1} is due`);
      const before = history[at - 1]?.timestamp;
      if (before !== undefined && timestamp < before)
        faults.push(`${id} version ${version} is before its predecessor`);
    });
    const last = history.at(-1);
    if (last !== undefined && machine.states[last.state]?.to !== undefined) {
      faults.push(`${id} ends as ${last.state}, which is not final`);
    }
  }
  return {
    name: "contiguous",
    text: `versions run from 1 without a gap, for all ${byId.size} agents`,
    faults,
  };
}

/** Every change is one that the machine allows, from the state in which the change before it left the agent. */
export function isLegal({ machine }: Evidence, { changes, byId }: Histories): Check {
  const faults: string[] = [];
  for (const [id, history] of byId) {
    let state: string | null = null;
    for (const change of history) {
      if (change.from !== state)
        faults.push(`${id} version ${change.version} comes from ${change.from}, not ${state}`);
      const legal: readonly string[] = state === null ? [machine.initial] : (machine.states[state]?.to ?? []);
      if (!legal.includes(change.state)) {
        faults.push(
          `${id} version ${change.version} goes from ${state} to ${change.state}, which is no transition`,
        );
      }
      state = change.state;
    }
  }
  return { name: "legal", text: `all ${changes.length} changes are transitions of the machine`, faults };
}

function placeOf({ id, version }: Pick<Change, "id" | "version">): string {
  return `${id} version ${version}`;
}

function names(claims: readonly { readonly replica: string }[]): string {
  return claims.map(({ replica }) => replica).join(" and ");
}
