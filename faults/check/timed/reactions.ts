import type { Findings } from "../report.js";
import { keyOf, type LoggedChange, type TimedFacts, type WithLine } from "./facts.js";

/** What handlers did with one event. */
interface Handling {
  readonly begins: WithLine<TimedFacts["handled"][number]>[];
  begun: number;
  beginLine: number;
  done: number;
  failed: number;
}

/** Every event in the log is handled at least once or is a dead letter, and each entity's in their order. */
export function checkReactions(facts: TimedFacts, findings: Findings): void {
  for (const { name, deadLetterAfter } of facts.reactions) {
    const handlings = handlingsOf(facts);
    const dead = new Map<string, WithLine<TimedFacts["deadLetters"][number]>>();
    const events = new Map<string, LoggedChange>();
    for (const entity of facts.entities.values()) {
      for (const event of entity.events) events.set(event.text, event);
    }
    for (const letter of facts.deadLetters) {
      if (letter.reaction !== name) continue;
      const event = events.get(letter.document ?? "");
      const text = `a dead letter of ${name} (${letter.error})`;
      if (event === undefined) {
        findings.add("dead-letters", undefined, `${text} has no event of the log`, letter.line);
        continue;
      }
      if (letter.tries < deadLetterAfter) {
        findings.add("dead-letters", undefined, `${text} was tried ${letter.tries} times only`, letter.line);
      }
      const twice = dead.get(event.text);
      if (twice !== undefined) {
        findings.add("dead-letters", undefined, `${text} is there twice`, twice.line, letter.line);
      }
      dead.set(event.text, letter);
    }
    for (const { id, events: own } of facts.entities.values()) {
      checkOrder(id, own, handlings, new Set(dead.keys()), findings);
      checkReturns(id, own, handlings, facts, findings);
    }
  }
}

function handlingsOf({ handled }: TimedFacts): Map<string, Handling> {
  const handlings = new Map<string, Handling>();
  for (const record of handled) {
    const key = keyOf(record);
    let one = handlings.get(key);
    if (one === undefined) {
      const never = Number.POSITIVE_INFINITY;
      one = { begins: [], begun: never, beginLine: 0, done: never, failed: 0 };
      handlings.set(key, one);
    }
    if (record.step === "begun") one.begins.push(record);
    if (record.step === "begun" && record.at < one.begun) {
      one.begun = record.at;
      one.beginLine = record.line;
    }
    if (record.step === "done") one.done = Math.min(one.done, record.at);
    if (record.step === "failed") one.failed += 1;
  }
  return handlings;
}

/** The events of one entity: none unhandled, none begun before those ahead of it were done with. */
function checkOrder(
  id: string,
  events: readonly LoggedChange[],
  handlings: ReadonlyMap<string, Handling>,
  dead: ReadonlySet<string>,
  findings: Findings,
): void {
  let doneAt = Number.NEGATIVE_INFINITY;
  let before: LoggedChange | undefined;
  for (const event of events) {
    const handling = handlings.get(keyOf(event));
    const isDead = dead.has(event.text);
    const words = `${id}: ${event.type} ${event.version}`;
    if (handling !== undefined && handling.begun < doneAt && before !== undefined) {
      const message = `${words} was begun before ${before.type} ${before.version} was done with`;
      findings.add("order", undefined, message, handling.beginLine, before.line, event.line);
    }
    if (!isDead && (handling === undefined || handling.done === Number.POSITIVE_INFINITY)) {
      const failed = handling?.failed ?? 0;
      const rule = failed > 0 ? "dead-letters" : "handled";
      const tries = failed > 0 ? `failed ${failed} times, and is no dead letter` : "was never handled";
      findings.add(rule, undefined, `${words} ${tries}`, event.line);
    }
    // A dead letter is out of the way of those behind it, but not before it was tried.
    const until = isDead ? handling?.begun : handling?.done;
    if (until !== undefined && until !== Number.POSITIVE_INFINITY && until > doneAt) {
      doneAt = until;
      before = event;
    }
  }
}

/**
 * No process comes back to an event once it has begun a later one of the same entity: whoever goes on to the next is done
 * with those ahead. Another process may, which was frozen inside a handler; and the same, where the server forgot the end.
 */
function checkReturns(
  id: string,
  events: readonly LoggedChange[],
  handlings: ReadonlyMap<string, Handling>,
  { loss }: TimedFacts,
  findings: Findings,
): void {
  const later = new Map<string, WithLine<TimedFacts["handled"][number]>>();
  for (const event of events.toReversed()) {
    const begins = (handlings.get(keyOf(event))?.begins ?? []).toSorted((a, b) => a.at - b.at);
    const [first] = begins;
    for (const begin of begins) {
      const before = later.get(begin.process);
      if (before === undefined || before.at >= begin.at) continue;
      if (loss.of(first?.at ?? begin.at, begin.at) !== undefined) continue;
      const message = `${id}: ${event.type} ${event.version} was begun by ${begin.process} after ${before.type} ${before.version}`;
      findings.add("order", undefined, message, before.line, begin.line);
    }
    for (const begin of begins) {
      const known = later.get(begin.process);
      if (known === undefined || begin.at < known.at) later.set(begin.process, begin);
    }
  }
}
