import { observed } from "../../../faults/history/writer.js";
import { type Mutation, pick } from "./mutation.js";
import type { Returned, Tape } from "./tape.js";

/** A read shows a version whose successor had been acknowledged before the read began. */
const staleRead: Mutation = {
  name: "stale read",
  rule: "reads",
  isVisible: true,
  inject: (tape) => {
    const reads = tape.returned.filter(({ call, seen }) => call.operation === "get" && seen !== undefined);
    const places = reads.flatMap((read) => {
      const log = tape.logOf(read.call.id);
      const old = log.filter((written, at) => {
        const next = log[at + 1];
        const maker = next && tape.makerOf(next);
        const isOver = maker !== undefined && maker.back.at < read.call.at;
        return isOver && !written.document.type.endsWith(".removed");
      });
      return old.map((written) => ({ read, written }));
    });
    const place = pick(tape, places);
    if (place === undefined) return false;
    tape.replace(place.read.back, { ...place.read.back, document: observed(place.written.document) });
    return true;
  },
};

/** A read finds nothing where there had been an entity for long, and was until it ended. */
const blindRead: Mutation = {
  name: "read that finds nothing",
  rule: "reads",
  isVisible: true,
  inject: (tape) => {
    const reads = tape.returned.filter((read) => {
      if (read.call.operation !== "get" || read.seen === undefined) return false;
      return tape.logOf(read.call.id).some((written) => {
        const maker = tape.makerOf(written);
        const isThere = maker !== undefined && maker.call.operation !== "remove";
        return isThere && maker.back.at < read.call.at && !mayBeRemoved(tape, maker, read);
      });
    });
    const read = pick(tape, reads);
    if (read === undefined) return false;
    const { document, ...back } = read.back;
    tape.replace(read.back, { ...back, outcome: "NOTFOUND" });
    return true;
  },
};

/** Whether a removal was under way at any time from when a change was asked for to when a read ended. */
function mayBeRemoved(tape: Tape, { call }: Returned, read: Returned): boolean {
  return tape.records.some((record) => {
    if (record.kind !== "call" || record.id !== call.id || record.operation !== "remove") return false;
    const ended = tape.returned.find((one) => one.call === record)?.back;
    const isOver = ended !== undefined && ended.outcome !== "UNKNOWN" && ended.at < call.at;
    return record.at <= read.back.at && !isOver;
  });
}

/** A read shows a content that no version had. */
const inventedRead: Mutation = {
  name: "read of what never was",
  rule: "reads",
  isVisible: true,
  inject: (tape) => {
    const read = pick(
      tape,
      tape.returned.filter(({ call, seen }) => call.operation === "get" && seen !== undefined),
    );
    if (read?.seen === undefined) return false;
    const fields = { ...read.seen.fields, invented: 1 };
    tape.replace(read.back, { ...read.back, document: { ...read.seen, fields } });
    return true;
  },
};

/** A caller is told another version than the one that it made. */
const wrongAck: Mutation = {
  name: "wrong version acknowledged",
  rule: "acknowledged",
  isVisible: true,
  inject: (tape) => {
    const made = pick(tape, acknowledged(tape));
    if (made?.seen === undefined) return false;
    const version = made.seen.version + 1 + tape.random.below(3);
    tape.replace(made.back, { ...made.back, document: { ...made.seen, version } });
    return true;
  },
};

const wrongState: Mutation = {
  name: "wrong state acknowledged",
  rule: "acknowledged",
  isVisible: true,
  inject: (tape) => {
    const made = pick(tape, acknowledged(tape));
    if (made?.seen === undefined) return false;
    const { states } = tape.rulesOf(made.call.machine);
    const state = pick(
      tape,
      states.filter((one) => one !== made.seen?.state),
    );
    if (state === undefined) return false;
    tape.replace(made.back, { ...made.back, document: { ...made.seen, state } });
    return true;
  },
};

/** A change is acknowledged long before it is made: others that ended later stand before it in the log. */
const tooEarly: Mutation = {
  name: "acknowledged before it was made",
  rule: "real-time",
  isVisible: true,
  inject: (tape) => {
    const places = tape.logs.flatMap((log) =>
      log.flatMap((written, at) => {
        const [prior, maker] = [log[at - 1], tape.makerOf(written)];
        const before = prior && tape.makerOf(prior);
        if (maker === undefined || before === undefined) return [];
        return isOnlyCall(tape, maker) && isOnlyCall(tape, before) ? [{ maker, before }] : [];
      }),
    );
    const place = pick(tape, places);
    if (place === undefined) return false;
    const { maker, before } = place;
    const at = before.call.at - 2;
    tape.replace(maker.call, { ...maker.call, at });
    tape.replace(maker.back, { ...maker.back, at: at + 1 });
    return true;
  },
};

function isOnlyCall(tape: Tape, { call }: Returned): boolean {
  return tape.records.every((record) => record.kind !== "call" || record.op !== call.op || record === call);
}

/** A caller is refused with a state from which the machine allows what was asked. */
const wrongRefusal: Mutation = {
  name: "refused for no reason",
  rule: "refused",
  isVisible: true,
  inject: (tape) => {
    const refusals = tape.returned.flatMap((one) => {
      if (one.back.outcome !== "ILLEGAL") return [];
      const rules = tape.rulesOf(one.call.machine);
      const states = rules.states.filter((state) => rules.leads(state, one.call.to ?? ""));
      return states.length === 0 ? [] : [{ one, states }];
    });
    const place = pick(tape, refusals);
    const state = place && pick(tape, place.states);
    if (place?.one.seen === undefined || state === undefined) return false;
    tape.replace(place.one.back, { ...place.one.back, document: { ...place.one.seen, state } });
    return true;
  },
};

/** A caller asked what became of its change, and was told that it never was and never will be made. It was. */
const wrongDenial: Mutation = {
  name: "resolved as not done, and done",
  rule: "refused",
  isVisible: false,
  inject: (tape) => {
    const done = tape.resolved.filter((one) => {
      const call = tape.callOf(one);
      const isAlone = tape.records.every(
        (record) => record.kind !== "call" || record.op !== call.op || record === call,
      );
      return one.outcome === "DONE" && isAlone;
    });
    const one = pick(tape, done);
    if (one === undefined) return false;
    const { version, ...rest } = one;
    tape.replace(one, { ...rest, outcome: "NOTDONE" });
    return true;
  },
};

/** A caller asked what became of its change, and was told that it was made. It was not. */
const wrongPromise: Mutation = {
  name: "resolved as done, and not done",
  rule: "acknowledged",
  isVisible: false,
  inject: (tape) => {
    const one = pick(
      tape,
      tape.resolved.filter(({ outcome }) => outcome === "NOTDONE"),
    );
    if (one === undefined) return false;
    tape.replace(one, { ...one, outcome: "DONE", version: 1 + tape.random.below(3) });
    return true;
  },
};

function acknowledged(tape: Tape): Returned[] {
  return tape.returned.filter(({ call, back, seen }) => {
    return (
      call.operation !== "get" && call.operation !== "remove" && back.outcome === "OK" && seen !== undefined
    );
  });
}

export const ANSWER_MUTATIONS: readonly Mutation[] = [
  ...[staleRead, blindRead, inventedRead, wrongAck, wrongState, tooEarly],
  ...[wrongRefusal, wrongDenial, wrongPromise],
];
