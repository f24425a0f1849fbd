import { observationOf } from "../../../faults/history/writer.js";
import { readOf } from "../simulation/final-state.js";
import type { EditableHistory, Exchange } from "./editable-history.js";
import { type Mutation, pick } from "./mutation.js";

/** Reads a version whose successor had been acknowledged before the read began. */
const staleRead: Mutation = {
  name: "stale read",
  rule: "reads",
  isVisible: true,
  inject: (history) => {
    const reads = history.returned.filter(
      ({ call, observation }) => call.operation === "get" && observation !== undefined,
    );
    const places = reads.flatMap((read) => {
      const log = history.logOf(read.call.id);
      const old = log.filter((written, at) => {
        const next = log[at + 1];
        const maker = next && history.makerOf(next);
        const isOver = maker !== undefined && maker.back.at < read.call.at;
        return isOver && !written.document.type.endsWith(".removed");
      });
      return old.map((written) => ({ read, written }));
    });
    const place = pick(history, places);
    if (place === undefined) return false;
    const document = readOf(history.rulesOf(place.read.call.machine), observationOf(place.written.document));
    history.replace(place.read.back, { ...place.read.back, document });
    return true;
  },
};

/** Reads nothing although the entity existed before, during and after the read. */
const blindRead: Mutation = {
  name: "read that finds nothing",
  rule: "reads",
  isVisible: true,
  inject: (history) => {
    const reads = history.returned.filter((read) => {
      if (read.call.operation !== "get" || read.observation === undefined) return false;
      return history.logOf(read.call.id).some((written) => {
        const maker = history.makerOf(written);
        const isThere = maker !== undefined && maker.call.operation !== "remove";
        return isThere && maker.back.at < read.call.at && !mayBeRemoved(history, maker, read);
      });
    });
    const read = pick(history, reads);
    if (read === undefined) return false;
    const { document, ...back } = read.back;
    history.replace(read.back, { ...back, outcome: "NOTFOUND" });
    return true;
  },
};

/** Returns true if a removal was in flight between the request of a change and the end of a read. */
function mayBeRemoved(history: EditableHistory, { call }: Exchange, read: Exchange): boolean {
  return history.records.some((record) => {
    if (record.kind !== "call" || record.id !== call.id || record.operation !== "remove") return false;
    const ended = history.returned.find((one) => one.call === record)?.back;
    const isOver = ended !== undefined && ended.outcome !== "UNKNOWN" && ended.at < call.at;
    return record.at <= read.back.at && !isOver;
  });
}

/** Reads fields that no version had. */
const inventedRead: Mutation = {
  name: "read of a version that never existed",
  rule: "reads",
  isVisible: true,
  inject: (history) => {
    const read = pick(
      history,
      history.returned.filter(
        ({ call, observation }) => call.operation === "get" && observation !== undefined,
      ),
    );
    if (read?.observation === undefined) return false;
    const fields = { ...read.observation.fields, invented: 1 };
    history.replace(read.back, { ...read.back, document: { ...read.observation, fields } });
    return true;
  },
};

/** Acknowledges another version than the one that the call made. */
const wrongAck: Mutation = {
  name: "wrong version acknowledged",
  rule: "acknowledgements",
  isVisible: true,
  inject: (history) => {
    const made = pick(history, acknowledged(history));
    if (made?.observation === undefined) return false;
    const version = made.observation.version + 1 + history.random.below(3);
    history.replace(made.back, { ...made.back, document: { ...made.observation, version } });
    return true;
  },
};

const wrongState: Mutation = {
  name: "wrong state acknowledged",
  rule: "acknowledgements",
  isVisible: true,
  inject: (history) => {
    const made = pick(history, acknowledged(history));
    if (made?.observation === undefined) return false;
    const { states } = history.rulesOf(made.call.machine);
    const state = pick(
      history,
      states.filter((one) => one !== made.observation?.state),
    );
    if (state === undefined) return false;
    history.replace(made.back, { ...made.back, document: { ...made.observation, state } });
    return true;
  },
};

/** Acknowledges a change long before it is applied: later ones precede it in the log. */
const tooEarly: Mutation = {
  name: "acknowledged before it was applied",
  rule: "real-time",
  isVisible: true,
  inject: (history) => {
    const places = history.logs.flatMap((log) =>
      log.flatMap((written, at) => {
        const [prior, maker] = [log[at - 1], history.makerOf(written)];
        const before = prior && history.makerOf(prior);
        if (maker === undefined || before === undefined) return [];
        return isOnlyCall(history, maker) && isOnlyCall(history, before) ? [{ maker, before }] : [];
      }),
    );
    const place = pick(history, places);
    if (place === undefined) return false;
    const { maker, before } = place;
    const at = before.call.at - 2;
    history.replace(maker.call, { ...maker.call, at });
    history.replace(maker.back, { ...maker.back, at: at + 1 });
    return true;
  },
};

function isOnlyCall(history: EditableHistory, { call }: Exchange): boolean {
  return history.records.every(
    (record) => record.kind !== "call" || record.op !== call.op || record === call,
  );
}

/** Rejects a call with a state from which the machine permits it. */
const wrongRefusal: Mutation = {
  name: "rejection without a reason",
  rule: "rejections",
  isVisible: true,
  inject: (history) => {
    const refusals = history.returned.flatMap((one) => {
      if (one.back.outcome !== "ILLEGAL") return [];
      const rules = history.rulesOf(one.call.machine);
      const states = rules.states.filter((state) => rules.leads(state, one.call.to ?? ""));
      return states.length === 0 ? [] : [{ one, states }];
    });
    const place = pick(history, refusals);
    const state = place && pick(history, place.states);
    if (place?.one.observation === undefined || state === undefined) return false;
    history.replace(place.one.back, { ...place.one.back, document: { ...place.one.observation, state } });
    return true;
  },
};

/** Resolves a change as not applied, although it was. */
const wrongDenial: Mutation = {
  name: "resolved as not applied, but applied",
  rule: "rejections",
  isVisible: false,
  inject: (history) => {
    const done = history.resolved.filter((one) => {
      const call = history.callOf(one);
      const isAlone = history.records.every(
        (record) => record.kind !== "call" || record.op !== call.op || record === call,
      );
      return one.outcome === "DONE" && isAlone;
    });
    const one = pick(history, done);
    if (one === undefined) return false;
    const { version, ...rest } = one;
    history.replace(one, { ...rest, outcome: "NOTDONE" });
    return true;
  },
};

/** Resolves a change as applied, although it was not. */
const wrongPromise: Mutation = {
  name: "resolved as applied, but not applied",
  rule: "acknowledgements",
  isVisible: false,
  inject: (history) => {
    const one = pick(
      history,
      history.resolved.filter(({ outcome }) => outcome === "NOTDONE"),
    );
    if (one === undefined) return false;
    history.replace(one, { ...one, outcome: "DONE", version: 1 + history.random.below(3) });
    return true;
  },
};

/** Gives a change a position that its caller had seen before it was made. */
const seenBefore: Mutation = {
  name: "position not after the one that was seen",
  rule: "requests",
  isVisible: false,
  inject: (history) => {
    const made = pick(history, acknowledged(history));
    const event = made && history.logOf(made.call.id).find(({ document }) => document.op === made.call.op);
    if (made === undefined || event === undefined) return false;
    for (const record of history.records) {
      if (record.kind === "call" && record.op === made.call.op)
        history.replace(record, { ...record, seen: event.entry });
    }
    return true;
  },
};

/** Applies a change after the server time that its caller had limited it to. */
const tooLate: Mutation = {
  name: "applied after its limit",
  rule: "rejections",
  isVisible: false,
  inject: (history) => {
    const made = pick(history, acknowledged(history));
    if (made?.observation === undefined) return false;
    const notAfter = Date.parse(made.observation.timestamp) - 1;
    history.replace(made.call, { ...made.call, notAfter });
    return true;
  },
};

function acknowledged(history: EditableHistory): Exchange[] {
  return history.returned.filter(({ call, back, observation }) => {
    return (
      call.operation !== "get" &&
      call.operation !== "remove" &&
      back.outcome === "OK" &&
      observation !== undefined
    );
  });
}

export const ANSWER_MUTATIONS: readonly Mutation[] = [
  ...[staleRead, blindRead, inventedRead, wrongAck, wrongState, tooEarly],
  ...[wrongRefusal, wrongDenial, wrongPromise, seenBefore, tooLate],
];
