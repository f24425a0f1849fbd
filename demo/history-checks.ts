import type { Change } from "latchkey";
import { type Check, type Evidence, groupBy, type Histories, isBySweeper } from "./evidence.js";

/**
 * Checks that exactly one replica won every change in the log, by a call or by its sweeper, and that every win is in the
 * log. The `op` in the log identifies changes that the killed replica won and could not report.
 */
export function wonOnce({ calls, expiries, killed }: Evidence, { changes }: Histories): Check {
  const faults: string[] = [];
  const wins = calls.filter(({ outcome }) => outcome === "OK");
  for (const [transition, claims] of groupBy(wins, ({ id, to }) => `${id} to ${to}`)) {
    if (claims.length > 1) faults.push(`${transition} was won by ${names(claims)}`);
  }
  const logged = groupBy(changes, placeOf);
  for (const [place, same] of logged) {
    if (same.length > 1) faults.push(`${place} is in the log ${same.length} times`);
  }
  const swept = groupBy(expiries, placeOf);
  for (const [place, claims] of swept) {
    if (claims.length > 1) faults.push(`${place} was recorded by the sweepers of ${names(claims)}`);
    const [change] = logged.get(place) ?? [];
    if (change === undefined || !isBySweeper(change)) {
      faults.push(`the sweeper of ${names(claims)} recorded ${place}, which the log does not confirm`);
    }
  }
  const claimed = groupBy(wins, placeOf);
  for (const [place, claims] of claimed) {
    const [change] = logged.get(place) ?? [];
    if (change === undefined) faults.push(`${names(claims)} won ${place}, which is not in the log`);
    for (const { replica, to } of change === undefined ? [] : claims) {
      const op = `${replica}:${to}`;
      if (change?.op !== op) faults.push(`${replica} won ${place}, where the log has op: ${change?.op}`);
    }
  }
  const reported = groupBy(calls, ({ replica, id, to }) => `${id} ${replica}:${to}`);
  let unreported = 0;
  for (const [place, [change]] of logged) {
    if (claimed.has(place) || swept.has(place) || change === undefined) continue;
    const { id, op } = change;
    if (op?.startsWith(`${killed}:`) && !reported.has(`${id} ${op}`)) unreported += 1;
    else faults.push(`${place} is in the log, but no replica won it`);
  }
  const more = unreported === 0 ? "" : `, ${unreported} unreported by ${killed}`;
  // A verdict fits 80 columns up to 10,000 changes.
  const text = `each transition won once: ${changes.length} changes, ${wins.length + expiries.length} wins${more}`;
  return { name: "won-once", text, faults };
}

/**
 * Checks that all replicas attempted every transition, the killed one while it lived, and that each loser received a state
 * that the log confirms.
 */
export function losersGotTheWinner(
  { calls, replicas, killed, machine }: Evidence,
  { changes, byId }: Histories,
): Check {
  const faults: string[] = [];
  const transitions = groupBy(calls, ({ id, to }) => `${id} to ${to}`);
  for (const [transition, attempts] of transitions) {
    const callers = new Set(attempts.map(({ replica }) => replica));
    const isMissed = replicas.some((name) => name !== killed && !callers.has(name));
    if (isMissed || attempts.length !== callers.size) {
      faults.push(
        `${transition} was attempted ${attempts.length} times, by ${callers.size} of ${replicas.length} replicas`,
      );
    }
    const [{ id, to } = { id: "", to: "" }] = attempts;
    const history = byId.get(id) ?? [];
    const isWon = attempts.some(({ outcome }) => outcome === "OK");
    const isWonSilently = !callers.has(killed) && history.some(({ op }) => op === `${killed}:${to}`);
    // An expired lease came before: the check of the leases covers it.
    const isLate = machine.states[to]?.to === undefined && history.some(isBySweeper);
    if (!isWon && !isWonSilently && !isLate) faults.push(`${transition} was won by nobody`);
  }
  const logged = groupBy(changes, placeOf);
  const rejections = calls.filter(({ outcome }) => outcome !== "OK");
  for (const rejection of rejections) {
    const { replica, outcome, state } = rejection;
    if (outcome !== "EXISTS" && outcome !== "ILLEGAL") {
      faults.push(`${replica} was rejected with ${outcome} for ${rejection.id} to ${rejection.to}`);
    } else if (logged.get(placeOf(rejection))?.[0]?.state !== state) {
      faults.push(`${replica} received ${state} for ${placeOf(rejection)}, which the log does not confirm`);
    }
  }
  const text = `all ${replicas.length} replicas attempted each: ${rejections.length} rejections, with the winning state`;
  return { name: "losers-informed", text, faults };
}

/** Checks that every history is complete: versions 1, 2, 3 and so on, times that never run backwards, a final state. */
export function isContiguous({ endings, orphans, machine }: Evidence, { byId }: Histories): Check {
  const faults: string[] = [];
  for (const id of [...endings.keys(), ...orphans]) if (!byId.has(id)) faults.push(`${id} is not in the log`);
  for (const [id, history] of byId) {
    if (!endings.has(id) && !orphans.has(id)) faults.push(`${id} is in the log, but nobody ran it`);
    history.forEach(({ version, timestamp }, at) => {
      if (version !== at + 1) faults.push(`${id} has version ${version} instead of ${at + 1}`);
      const before = history[at - 1]?.timestamp;
      if (before !== undefined && timestamp < before)
        faults.push(`${id} version ${version} is earlier than its predecessor`);
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

/** Checks that the machine allows every change from the state that the previous change left. */
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
          `${id} version ${change.version} goes from ${state} to ${change.state}, which the machine does not allow`,
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
