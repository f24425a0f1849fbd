import { Random } from "../../random.js";
import { ABSENT, ANYTHING, type EntityState, type Model, type State, type Step } from "./model.js";

/** The result of a search: an order fits, no order fits, or the budget was exceeded. */
export type Verdict =
  | { readonly kind: "linear"; readonly steps: number }
  | { readonly kind: "violated"; readonly steps: number; readonly stuckAt: Step; readonly ordered: number }
  | { readonly kind: "undecided"; readonly steps: number };

/** The begin or the end of a step, in a list that is sorted by time. */
interface Node {
  readonly step: Step;
  readonly at: number;
  readonly bits: number;
  /** The end, if this is a begin. */
  readonly end: Node | undefined;
  before: Node | undefined;
  after: Node | undefined;
}

/** A step that may not have happened. It has no end and is not in the list. */
interface PossibleStep {
  readonly step: Step;
  readonly latest: number;
  readonly bits: number;
  isDone: boolean;
}

/** The step that was ordered last, and how to undo it. `maybe` is an index of the possible steps. */
interface Choice {
  readonly node: Node;
  readonly maybe: number | undefined;
  readonly state: State;
  readonly begun: number;
  /**
   * True for a read that changed no knowledge and excluded no possible step. Another place for it cannot help.
   */
  readonly isFree: boolean;
}

/**
 * Searches an order of steps that fits their times and the model, with the algorithm of Wing and Gong: any step that began
 * before the first end may be next. Lowe's memory skips combinations of ordered steps and resulting entity that were
 * tried before. Possible steps are tried last, so that an order without them is found first.
 *
 * @param most maximum steps of the search
 */
export function searchOrder(model: Model, initial: State, steps: readonly Step[], most: number): Verdict {
  const first = search(model, initial, steps, most, new Random(1));
  if (first.kind !== "violated") return first;
  // The memory holds hashes. Two wrong results with different hashes are practically impossible.
  const second = search(model, initial, steps, most, new Random(2));
  return { ...second, steps: first.steps + second.steps };
}

function search(model: Model, initial: State, steps: readonly Step[], most: number, random: Random): Verdict {
  const certain = steps.filter(({ until }) => until !== Number.POSITIVE_INFINITY);
  const maybes: PossibleStep[] = steps
    .filter(({ until }) => until === Number.POSITIVE_INFINITY)
    .sort((a, b) => a.from - b.from)
    .map((step) => ({ step, latest: latestOf(step), bits: bitsOf(random), isDone: false }));
  const head = listOf(certain, random);
  const stack: Choice[] = [];
  const memory = new Memory();
  let state = initial;
  /** Latest begin of the ordered steps. */
  let begun = Number.NEGATIVE_INFINITY;
  let done = 0;
  let count = 0;
  let stuck: { at: Step; ordered: number } | undefined;
  let node = head.after;
  let maybe: number | undefined;
  let isBack = false;
  while (node !== undefined) {
    // Certain steps that begin before the first end come first, then possible steps.
    const one: Node | PossibleStep | undefined = maybe === undefined ? node : maybes[maybe];
    if (!isBack && maybe === undefined && node.end === undefined) {
      maybe = 0;
      continue;
    }
    if (isBack || one === undefined || (maybe !== undefined && one.step.from > node.at)) {
      if (stuck === undefined || stack.length > stuck.ordered)
        stuck = { at: node.step, ordered: stack.length };
      const last = stack.pop();
      if (last === undefined)
        return { kind: "violated", steps: count, stuckAt: stuck.at, ordered: stuck.ordered };
      state = last.state;
      begun = last.begun;
      const undone = last.maybe === undefined ? last.node : maybes[last.maybe];
      done = toggled(done, undone?.bits ?? 0);
      if (undone !== undefined) model.takeBack(undone.step);
      if (last.maybe === undefined) putBack(last.node);
      else if (undone !== undefined && "isDone" in undone) undone.isDone = false;
      isBack = last.isFree;
      node = last.maybe === undefined ? last.node.after : last.node;
      maybe = last.maybe === undefined ? undefined : last.maybe + 1;
      continue;
    }
    const isExcluded = "isDone" in one && (one.isDone || one.latest < begun);
    count += isExcluded ? 0 : 1;
    if (count > most) return { kind: "undecided", steps: count };
    const next = isExcluded ? undefined : model.after(state, one.step);
    if (next === undefined || !memory.isNew(toggled(done, one.bits), next)) {
      if (maybe === undefined) node = node.after;
      else maybe += 1;
      continue;
    }
    const isFree =
      one.step.kind === "read" &&
      keyOf(next) === keyOf(state) &&
      !maybes.some(({ isDone, latest }) => !isDone && latest >= begun && latest < one.step.from);
    stack.push({ node, maybe, state, begun, isFree });
    state = next;
    begun = Math.max(begun, one.step.from);
    done = toggled(done, one.bits);
    model.put(one.step);
    if ("isDone" in one) one.isDone = true;
    else lift(one);
    node = head.after;
    maybe = undefined;
  }
  return { kind: "linear", steps: count };
}

/** Returns the latest begin that may still precede this step. */
function latestOf(step: Step): number {
  return step.kind === "write" ? step.latest : step.until;
}

const HALF = 2 ** 26;

/** Returns 52 random bits, which are too many for one bit operation of JavaScript. */
function bitsOf(random: Random): number {
  return random.below(HALF) * HALF + random.below(HALF);
}

function toggled(done: number, bits: number): number {
  const high = Math.floor(done / HALF) ^ Math.floor(bits / HALF);
  return high * HALF + ((done % HALF) ^ (bits % HALF));
}

function listOf(steps: readonly Step[], random: Random): Pick<Node, "after"> {
  const nodes: Node[] = [];
  for (const step of steps) {
    const bits = bitsOf(random);
    const links = { before: undefined, after: undefined };
    const end: Node = { step, at: step.until, bits, end: undefined, ...links };
    nodes.push({ step, at: step.from, bits, end, ...links }, end);
  }
  // An end and a begin at the same time overlap.
  nodes.sort((a, b) => a.at - b.at || Number(a.end === undefined) - Number(b.end === undefined));
  const head: { after: Node | undefined } = { after: nodes[0] };
  nodes.forEach((node, at) => {
    node.before = nodes[at - 1] ?? (head as Node);
    node.after = nodes[at + 1];
  });
  return head;
}

function lift(node: Node): void {
  for (const one of [node, node.end]) {
    if (one?.before !== undefined) one.before.after = one.after;
    if (one?.after !== undefined) one.after.before = one.before;
  }
}

function putBack(node: Node): void {
  for (const one of [node.end, node]) {
    if (one?.before !== undefined) one.before.after = one;
    if (one?.after !== undefined) one.after.before = one;
  }
}

/** Remembers sets of ordered steps by the resulting entity. */
class Memory {
  readonly #done = new Map<string, Set<number>>();

  isNew(done: number, state: State): boolean {
    const key = keyOf(state);
    const known = this.#done.get(key);
    if (known?.has(done)) return false;
    if (known === undefined) this.#done.set(key, new Set([done]));
    else known.add(done);
    return true;
  }
}

const keys = new WeakMap<EntityState, string>();

function keyOf(state: State): string {
  if (state === ABSENT) return "absent";
  if (state === ANYTHING) return "anything";
  const known = keys.get(state);
  if (known !== undefined) return known;
  const { version, created, timestamp, fields } = state;
  const key = JSON.stringify([state.state, version, created, timestamp, fields, Object.keys(fields)]);
  keys.set(state, key);
  return key;
}
