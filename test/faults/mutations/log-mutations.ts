import type { ChangeDocument } from "../simulation/final-state.js";
import type { EditableHistory, LogRecord } from "./editable-history.js";
import { type Mutation, pick } from "./mutation.js";

/** Finds changes with a predecessor and a successor in the same life. */
function inner({ logs }: EditableHistory): { before: LogRecord; here: LogRecord; after: LogRecord }[] {
  return logs.flatMap((log) =>
    log.flatMap((here, at) => {
      const [before, after] = [log[at - 1], log[at + 1]];
      if (before === undefined || after === undefined) return [];
      const isOneLife = here.document.version > 1 && after.document.version > 1;
      return isOneLife ? [{ before, here, after }] : [];
    }),
  );
}

const skippedEvent: Mutation = {
  name: "skipped event",
  rule: "versions",
  isVisible: false,
  inject: (history) => {
    const place = pick(history, inner(history));
    if (place === undefined) return false;
    history.replace(place.here.record);
    return true;
  },
};

const reorderedEvent: Mutation = {
  name: "reordered event",
  rule: "versions",
  isVisible: false,
  inject: (history) => {
    const place = pick(history, inner(history));
    if (place === undefined) return false;
    const { here, after } = place;
    history.rewrite(here, after.document);
    history.replace(after.record, { ...after.record, document: here.record.document });
    return true;
  },
};

/** Swaps two changes, with the versions of their new places. Only their callers can notice. */
const renumberedEvent: Mutation = {
  name: "reordered and renumbered event",
  rule: "acknowledgements",
  isVisible: false,
  inject: (history) => {
    const places = inner(history).filter(({ here, after }) => {
      const isPatch = (one: LogRecord): boolean => history.makerOf(one)?.call.operation === "patch";
      return isPatch(here) && isPatch(after) && here.document.timestamp !== after.document.timestamp;
    });
    const place = pick(history, places);
    if (place === undefined) return false;
    const [one, other] = [place.here.document, place.after.document];
    history.rewrite(place.here, {
      ...other,
      version: one.version,
      timestamp: one.timestamp,
    } as ChangeDocument);
    history.rewrite(place.after, {
      ...one,
      version: other.version,
      timestamp: other.timestamp,
    } as ChangeDocument);
    return true;
  },
};

const wrongVersion: Mutation = {
  name: "wrong version in the log",
  rule: "versions",
  isVisible: false,
  inject: (history) => {
    const place = pick(history, inner(history));
    if (place === undefined) return false;
    history.rewrite(place.here, { version: place.here.document.version + 1 + history.random.below(3) });
    return true;
  },
};

const illegalTransition: Mutation = {
  name: "illegal transition",
  rule: "edges",
  isVisible: false,
  inject: (history) => {
    const places = inner(history).filter(
      ({ here: { document } }) => !/\.(updated|removed)$/.test(document.type),
    );
    const place = pick(history, places);
    if (place === undefined) return false;
    const { machine, from } = place.here.document;
    const rules = history.rulesOf(machine);
    const to = pick(
      history,
      rules.states.filter((state) => !rules.leads(from ?? "", state)),
    );
    if (to === undefined) return false;
    history.rewrite(place.here, { state: to, type: rules.eventOf(to) });
    return true;
  },
};

/** Makes a change older than its predecessor, in the log and for all who received it. */
const backwardStamp: Mutation = {
  name: "backward stamp",
  rule: "stamps",
  isVisible: true,
  inject: (history) => {
    const places = inner(history).filter(({ before, here }) => {
      return /\.updated$/.test(here.document.type) && isShown(history, before) && isShown(history, here);
    });
    const place = pick(history, places);
    if (place === undefined) return false;
    const { before, here } = place;
    const timestamp = new Date(
      Date.parse(before.document.timestamp) - 1 - history.random.below(5000),
    ).toISOString();
    history.rewrite(here, { timestamp });
    for (const { back, observation } of history.returned) {
      if (observation === undefined || !isOf(here, observation, history, back.process, back.number)) continue;
      history.replace(back, { ...back, document: { ...observation, timestamp } });
    }
    return true;
  },
};

function isShown(history: EditableHistory, written: LogRecord): boolean {
  return history.makerOf(written) !== undefined;
}

function isOf(
  { document }: LogRecord,
  observation: { readonly version: number; readonly timestamp: string; readonly createdAt: string },
  history: EditableHistory,
  process: string,
  number: number,
): boolean {
  return (
    history.callOf({ process, number }).id === document.id &&
    observation.version === document.version &&
    observation.timestamp === document.timestamp &&
    observation.createdAt === document.createdAt
  );
}

const lostField: Mutation = {
  name: "missing field that was set",
  rule: "fields",
  isVisible: false,
  inject: (history) => {
    const places = history.logs.flat().filter((one) => history.makerOf(one)?.call.set !== undefined);
    const place = pick(history, places);
    const field = place && pick(history, Object.keys(history.makerOf(place)?.call.set ?? {}));
    if (place === undefined || field === undefined) return false;
    history.rewrite(place, { [field]: undefined });
    return true;
  },
};

const lostStamp: Mutation = {
  name: "stamp overwritten",
  rule: "fields",
  isVisible: false,
  inject: (history) => {
    const places = history.logs.flat().flatMap((one) => {
      const rules = history.rulesOf(one.document.machine);
      const stamp = Object.keys(one.document).find((field) => rules.isStamp(field));
      return stamp === undefined ? [] : [{ one, stamp }];
    });
    const place = pick(history, places);
    if (place === undefined) return false;
    history.rewrite(place.one, { [place.stamp]: "2001-01-01T00:00:00.000Z" });
    return true;
  },
};

export const LOG_MUTATIONS: readonly Mutation[] = [
  ...[
    skippedEvent,
    reorderedEvent,
    renumberedEvent,
    wrongVersion,
    illegalTransition,
    backwardStamp,
    lostField,
    lostStamp,
  ],
];
