import { expect } from "vitest";
import type { Operation } from "../../src/lua/index.js";
import type { CompiledMachine } from "../../src/machine/compiled.js";
import type { Argument } from "./calls.js";
import type { Clocked } from "./clock.js";

const NEVER = Number.POSITIVE_INFINITY;

/** Holds an entity before a call, the reply, and the entity afterwards. */
interface Answered {
  readonly id: string;
  readonly operation: Operation;
  readonly outcome: string;
  readonly type: string;
  readonly reason: string;
  readonly now: number;
  readonly state: string;
  readonly since: number;
  readonly renewed: number;
  readonly renewedNow: number;
  readonly toldBefore: number;
  readonly told: number;
}

/**
 * Calls the server, and holds each answer against what is promised about timers: by what stood there before and stands
 * there after, and by the machine as it is, without a model of what should become of the entity.
 */
export class Promises {
  readonly #location: Clocked;
  /** When an entity has to fire, by which version of the machine. */
  readonly #latest = new Map<string, { readonly at: number; readonly version: number }>();

  constructor(location: Clocked) {
    this.#location = location;
  }

  /** @returns the outcome, and when the entity is due after it */
  async ask(
    machine: CompiledMachine,
    operation: Operation,
    id: string,
    ...args: Argument[]
  ): Promise<[outcome: string, told: number | undefined]> {
    const location = this.#location;
    // One connection answers in the order in which it is asked.
    const [hash, toldBefore, [outcome, document], told, after] = await Promise.all([
      location.hash(id),
      this.#told(id),
      location.run(operation, id, ...args),
      this.#told(id),
      location.hash(id),
    ]);
    const { type = "", reason = "" } = JSON.parse(document ?? "{}");
    const { state = "" } = hash;
    const times = {
      ...{ now: location.nowMs, since: timesOf(hash)[1] ?? NEVER },
      ...{ renewed: timesOf(hash)[2] ?? 0, renewedNow: timesOf(after)[2] ?? 0 },
    };
    const answered = { id, operation, outcome, type, reason, state, ...times, toldBefore, told };
    const broken = [...this.#stillBroken(machine, answered), ...firedBroken(machine, answered)];
    const context = { ...answered, spec: machine.states[state] };
    expect({ ...context, broken }).toEqual({ ...context, broken: [] });
    const isTold = outcome === "NOTDUE" || (outcome === "OK" && operation !== "patch");
    if (isTold && isPlainEnd(machine, answered)) this.#latest.set(id, { at: told, version: machine.version });
    else if (isTold) this.#latest.delete(id);
    return [outcome, told === NEVER ? undefined : told];
  }

  /** Checks the effects of a heartbeat that renewed, and of an expiry that found nothing due. */
  #stillBroken(machine: CompiledMachine, answered: Answered): string[] {
    const { id, operation, outcome, now, state, toldBefore, told } = answered;
    if (operation === "expire" && outcome === "MISSING") {
      return kept({ "what can't fire is seen in due": told <= now });
    }
    const isRenewed = operation === "heartbeat" && outcome === "OK";
    if (!isRenewed && outcome !== "NOTDUE") return [];
    const { timeout, lease, retain } = machine.states[state] ?? {};
    const isTimed = timeout !== undefined || lease !== undefined || retain !== undefined;
    const fixed = fixedEnd(machine, answered);
    const whole = now + (lease?.for ?? NEVER);
    const before = toldBefore === NEVER ? whole : toldBefore;
    const { at = NEVER, version } = this.#latest.get(id) ?? {};
    const isOver = toldBefore <= now && !isRenewed;
    return kept({
      "an entity is due where its state has a timer": !isTimed || told < NEVER,
      "an entity is never due where its state has none": isTimed || told === NEVER,
      "for a lease no deadline comes nearer": told >= Math.min(before, fixed),
      "no deadline is later than told before, or than a whole lease": told <= Math.max(before, whole),
      "a timeout and a retention move no deadline beyond them": told <= fixed,
      "a heartbeat renews for a whole lease": !isRenewed || told >= Math.min(whole, fixed),
      "what is not due is due later": isRenewed || told > now,
      "what is over is due": isRenewed || fixed > now,
      "what was told to be due then is": isRenewed || version !== machine.version || at > now,
      "the end of a lease that an older version told is put off once":
        !isOver || isPlainEnd(machine, answered),
    });
  }

  async #told(id: string): Promise<number> {
    return Number((await this.#location.score("due", id)) ?? NEVER);
  }
}

/** Returns the times of the last change, of entry and of the last heartbeat. */
function timesOf(hash: Record<string, string>): number[] {
  return (hash["times:ms"] ?? "").split(" ").filter(Boolean).map(Number);
}

/** Returns true if it is due according to the current version alone. */
function isPlainEnd(machine: CompiledMachine, answered: Answered): boolean {
  const { operation, outcome, state, since, renewedNow, told } = answered;
  if (outcome === "OK" && operation !== "heartbeat") return true; // it was written by that version
  const { lease } = machine.states[state] ?? {};
  return [fixedEnd(machine, answered), Math.max(since, renewedNow) + (lease?.for ?? NEVER)].includes(told);
}

/** Checks that a change has all its effects. */
function firedBroken(machine: CompiledMachine, answered: Answered): string[] {
  const { operation, outcome, type, reason, now, state, since, renewed, toldBefore } = answered;
  if (outcome !== "OK" || operation === "heartbeat") return [];
  const { lease, to = [] } = machine.states[state] ?? { to: [""] };
  const isExpiry = operation === "expire";
  const isLease = isExpiry && reason.startsWith("lease of ");
  const end = Math.max(since, renewed) + (lease?.for ?? NEVER);
  const stays = type === `${machine.name}.updated` || type === `${machine.name}.removed`;
  return kept({
    "no lease ends before a whole one has passed without a sign of life": !isLease || now >= end,
    "no lease ends before the time that was told": !isLease || (toldBefore < NEVER && now >= toldBefore),
    "no timeout or retention ends early": !isExpiry || isLease || now >= fixedEnd(machine, answered),
    "no final state is overwritten": operation === "create" || stays || to.length > 0,
  });
}

function fixedEnd({ states }: CompiledMachine, { state, since }: Answered): number {
  const { timeout, retain } = states[state] ?? {};
  return since + (timeout?.after ?? retain ?? NEVER);
}

/** Those that are not. */
function kept(promises: Readonly<Record<string, boolean>>): string[] {
  return Object.entries(promises).flatMap(([promise, isKept]) => (isKept ? [] : [promise]));
}
