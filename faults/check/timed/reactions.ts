import type { Findings } from "../report.js";
import { keyOf, type LoggedChange, type TimedFacts, type WithLine } from "./facts.js";

/** Collects what handlers did with one event. */
interface Handling {
  readonly begins: WithLine<TimedFacts["handled"][number]>[];
  begun: number;
  beginLine: number;
  done: number;
  failed: number;
}

/** Checks that every logged event is handled or a dead letter, and that the events of each entity are in order. */
export function checkReactions(facts: TimedFacts, findings: Findings): void {
  for (const { name, deadLetterAfter } of facts.reactions) {
    const handlings = handlingsOf(facts);
    const deadLetters = new Map<string, WithLine<TimedFacts["deadLetters"][number]>>();
    const events = new Map<string, LoggedChange>();
    for (const entity of facts.entities.values()) {
      for (const event of entity.events) events.set(event.text, event);
    }
    for (const letter of facts.deadLetters) {
      if (letter.reaction !== name) continue;
      const event = events.get(letter.document ?? "");
      const text = `a dead letter of ${name} (${letter.error})`;
      if (event === undefined) {
        findings.add("dead-letters", undefined, `${text} is not an event of the log`, letter.line);
        continue;
      }
      if (letter.tries < deadLetterAfter) {
        findings.add("dead-letters", undefined, `${text} has only ${letter.tries} attempts`, letter.line);
      }
      const earlier = deadLetters.get(event.text);
      if (earlier !== undefined) {
        findings.add("dead-letters", undefined, `${text} exists twice`, earlier.line, letter.line);
      }
      deadLetters.set(event.text, letter);
    }
    for (const { id, events: own } of facts.entities.values()) {
      checkOrder(id, own, handlings, new Set(deadLetters.keys()), findings);
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

/** Checks the events of one entity: each is handled, and none begins before the previous ones are finished. */
function checkOrder(
  id: string,
  events: readonly LoggedChange[],
  handlings: ReadonlyMap<string, Handling>,
  deadLetters: ReadonlySet<string>,
  findings: Findings,
): void {
  let doneAt = Number.NEGATIVE_INFINITY;
  let before: LoggedChange | undefined;
  for (const event of events) {
    const handling = handlings.get(keyOf(event));
    const isDeadLetter = deadLetters.has(event.text);
    const words = `${id}: ${event.type} ${event.version}`;
    if (handling !== undefined && handling.begun < doneAt && before !== undefined) {
      const message = `${words} began before ${before.type} ${before.version} was finished`;
      findings.add("order", undefined, message, handling.beginLine, before.line, event.line);
    }
    if (!isDeadLetter && (handling === undefined || handling.done === Number.POSITIVE_INFINITY)) {
      const failed = handling?.failed ?? 0;
      const rule = failed > 0 ? "dead-letters" : "handled";
      const tries = failed > 0 ? `failed ${failed} times but is not a dead letter` : "was never handled";
      findings.add(rule, undefined, `${words} ${tries}`, event.line);
    }
    // A dead letter does not delay later events, but it must have been attempted before them.
    const until = isDeadLetter ? handling?.begun : handling?.done;
    if (until !== undefined && until !== Number.POSITIVE_INFINITY && until > doneAt) {
      doneAt = until;
      before = event;
    }
  }
}

/**
 * Checks that no process returns to an event after it has begun a later one of the same entity. Another process may, if it
 * was frozen inside a handler. The same process may, if the server has forgotten that it finished.
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
