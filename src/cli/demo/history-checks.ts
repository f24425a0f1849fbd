import type { Change } from "../../contract/document.js";
import { type Check, type Evidence, groupBy, type Histories, isBySweep } from "./evidence.js";

/**
 * Every change in the log was won by exactly one replica, by a call or by its sweep, and every win is in the log. What
 * the killed replica won and could not tell any more, the log tells by its op.
 */
export function wonOnce({ calls, ranOut, killed }: Evidence, { changes }: Histories): Check {
  const faults: string[] = [];
  const wins = calls.filter(({ outcome }) => outcome === "OK");
  for (const [transition, claims] of groupBy(wins, ({ id, to }) => `${id} to ${to}`)) {
    if (claims.length > 1) faults.push(`${transition} was won by ${names(claims)}`);
  }
  const logged = groupBy(changes, placeOf);
  for (const [place, same] of logged) {
    if (same.length > 1) faults.push(`${place} is in the log ${same.length} times`);
  }
  const swept = groupBy(ranOut, placeOf);
  for (const [place, claims] of swept) {
    if (claims.length > 1) faults.push(`${place} was recorded by the sweeps of ${names(claims)}`);
    const [change] = logged.get(place) ?? [];
    if (change === undefined || !isBySweep(change)) {
      faults.push(`the sweep of ${names(claims)} recorded ${place}, which the log does not confirm`);
    }
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
  const told = groupBy(calls, ({ replica, id, to }) => `${id} ${replica}:${to}`);
  let untold = 0;
  for (const [place, [change]] of logged) {
    if (claimed.has(place) || swept.has(place) || change === undefined) continue;
    const { id, op } = change;
    if (op?.startsWith(`${killed}:`) && !told.has(`${id} ${op}`)) untold += 1;
    else faults.push(`${place} is in the log, but no replica won it`);
  }
  const counted = `${wins.length + ranOut.length} wins counted`;
  const more = untold === 0 ? "" : `, ${untold} cut off`;
  const text = `each transition was won once: ${changes.length} changes logged, ${counted}${more}`;
  return { name: "won-once", text, faults };
}

/**
 * Every transition was tried by all replicas, by the killed one while it lived, and each loser was told a state that the
 * log confirms.
 */
export function losersWereTold(
  { calls, replicas, killed, machine }: Evidence,
  { changes, byId }: Histories,
): Check {
  const faults: string[] = [];
  const transitions = groupBy(calls, ({ id, to }) => `${id} to ${to}`);
  for (const [transition, tries] of transitions) {
    const tried = new Set(tries.map(({ replica }) => replica));
    const isMissed = replicas.some((name) => name !== killed && !tried.has(name));
    if (isMissed || tries.length !== tried.size) {
      faults.push(
        `${transition} was tried ${tries.length} times, by ${tried.size} of ${replicas.length} replicas`,
      );
    }
    const [{ id, to } = { id: "", to: "" }] = tries;
    const history = byId.get(id) ?? [];
    const isWon = tries.some(({ outcome }) => outcome === "OK");
    const isWonSilently = !tried.has(killed) && history.some(({ op }) => op === `${killed}:${to}`);
    // A lease that ran out came before: the check of the leases tells of it.
    const isLate = machine.states[to]?.to === undefined && history.some(isBySweep);
    if (!isWon && !isWonSilently && !isLate) faults.push(`${transition} was won by nobody`);
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
  const text = `all ${replicas.length} replicas tried each while alive: ${refusals.length} refusals, with the state that won`;
  return { name: "losers-told", text, faults };
}

/** Every agent has a whole history: versions 1, 2, 3 and so on in order, times that never run back, a final state. */
export function isContiguous({ endings, orphans, machine }: Evidence, { byId }: Histories): Check {
  const faults: string[] = [];
  for (const id of [...endings.keys(), ...orphans]) if (!byId.has(id)) faults.push(`${id} is not in the log`);
  for (const [id, history] of byId) {
    if (!endings.has(id) && !orphans.has(id)) faults.push(`${id} is in the log, but nobody ran it`);
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
