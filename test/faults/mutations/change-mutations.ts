import type { ChangeDocument } from "../simulation/final-state.js";
import type { EditableHistory, Exchange, LogRecord } from "./editable-history.js";
import { type Mutation, pick } from "./mutation.js";

const NOT_MADE: ReadonlySet<string> = new Set(["ILLEGAL", "CONFLICT", "EXISTS", "MISSING", "NOTEXECUTED"]);

function documentsOf(log: readonly LogRecord[]): ChangeDocument[] {
  return log.map(({ document }) => document);
}

/** Returns logs of existing entities whose last change fits. */
function existingLogs(
  history: EditableHistory,
  isFit: (last: LogRecord, log: readonly LogRecord[]) => boolean,
) {
  return history.logs.filter((log) => {
    const last = log.at(-1);
    if (last === undefined || last.document.type === `${last.document.machine}.removed`) return false;
    return isFit(last, log);
  });
}

/** Returns the change after the last one of a log, as the server would make it. */
function patched(last: ChangeDocument, op: string): ChangeDocument {
  const { forced, actor, reason, ...rest } = last;
  const next = { ...rest, type: `${last.machine}.updated`, from: last.state, version: last.version + 1, op };
  return next as ChangeDocument;
}

/** Removes an acknowledged change completely. */
const lostWrite: Mutation = {
  name: "lost write",
  rule: "acknowledgements",
  isVisible: true,
  inject: (history) => {
    const logs = existingLogs(
      history,
      (last) => last.document.version > 1 && history.makerOf(last) !== undefined,
    );
    const log = pick(history, logs);
    const before = log?.at(-2);
    if (log === undefined || before === undefined) return false;
    history.endWith(log, documentsOf(log).slice(0, -1));
    history.readAtEnd(before.document);
    return true;
  },
};

/** Applies a change once more, with its own version. */
const doubleEffect: Mutation = {
  name: "double effect",
  rule: "ops",
  isVisible: true,
  inject: (history) => {
    const logs = existingLogs(history, (last) => history.makerOf(last)?.call.operation === "patch");
    const log = pick(history, logs);
    const last = log?.at(-1)?.document;
    if (log === undefined || last?.op === undefined) return false;
    const again = patched(last, last.op);
    history.endWith(log, [...documentsOf(log), again]);
    history.readAtEnd(again);
    return true;
  },
};

/** Puts the idempotency key of one change in the place of another one. */
const duplicateKey: Mutation = {
  name: "duplicate key",
  rule: "ops",
  isVisible: false,
  inject: (history) => {
    const log = pick(
      history,
      history.logs.filter((one) => one.length > 2),
    );
    const from = log && pick(history, log.slice(0, -1));
    const to = log && pick(history, log.slice(log.indexOf(from as LogRecord) + 1));
    if (from?.document.op === undefined || to === undefined) return false;
    history.rewrite(to, { op: from.document.op });
    return true;
  },
};

/** Applies a change whose caller was rejected. */
const rejectedChange: Mutation = {
  name: "rejected change in the log",
  rule: "rejections",
  isVisible: true,
  inject: (history) => {
    const isTried = (id: string, op = ""): boolean =>
      history.returned.some(
        ({ call, back }) => call.id === id && call.op === op && !NOT_MADE.has(back.outcome),
      );
    const refused = history.returned.filter(({ call, back }) => {
      if (!NOT_MADE.has(back.outcome) || call.operation !== "patch" || isTried(call.id, call.op))
        return false;
      if (
        history.records.some((record) => record.kind === "call" && record.op === call.op && record !== call)
      )
        return false;
      const last = history.logOf(call.id).at(-1)?.document;
      return last !== undefined && !last.type.endsWith(".removed");
    });
    const one = pick(history, refused);
    const log = one && history.logOf(one.call.id);
    const last = log?.at(-1)?.document;
    if (log === undefined || last === undefined) return false;
    const made = { ...patched(last, one?.call.op ?? ""), ...one?.call.set } as ChangeDocument;
    history.endWith(log, [...documentsOf(log), made]);
    history.readAtEnd(made);
    return true;
  },
};

/** Adds a change that no call requested. */
const unrequestedChange: Mutation = {
  name: "change without a request",
  rule: "requests",
  isVisible: true,
  inject: (history) => {
    const log = pick(
      history,
      existingLogs(history, () => true),
    );
    const last = log?.at(-1)?.document;
    if (log === undefined || last === undefined) return false;
    const made = { ...patched(last, "nobody"), haunted: true } as ChangeDocument;
    history.endWith(log, [...documentsOf(log), made]);
    history.readAtEnd(made);
    return true;
  },
};

/** Two callers raced. Gives the log the rejected one as the winner. */
const wrongWinner: Mutation = {
  name: "wrong winner",
  rule: "acknowledgements",
  isVisible: false,
  inject: (history) => {
    const race = raceOf(history);
    const won =
      race && history.logOf(race.winner.call.id).find(({ document }) => document.op === race.winner.call.op);
    if (won === undefined) return false;
    history.rewrite(won, { op: race?.loser.call.op ?? "" });
    return true;
  },
};

/** Two callers raced. Acknowledges both. */
const twoWinners: Mutation = {
  name: "two winners",
  rule: "acknowledgements",
  isVisible: true,
  inject: (history) => {
    const race = raceOf(history);
    if (race?.winner.observation === undefined) return false;
    history.replace(race.loser.back, {
      ...race.loser.back,
      outcome: "OK",
      document: race.winner.observation,
    });
    return true;
  },
};

/** Finds two calls with the same intent, of which the loser was shown what the winner made. */
function raceOf(history: EditableHistory): { winner: Exchange; loser: Exchange } | undefined {
  const isOnce = ({ call }: Exchange): boolean =>
    !history.records.some((record) => record.kind === "call" && record.op === call.op && record !== call);
  const races = history.returned.flatMap((loser) => {
    const { call, back, observation } = loser;
    if (
      !["ILLEGAL", "EXISTS", "CONFLICT"].includes(back.outcome) ||
      observation === undefined ||
      !isOnce(loser)
    )
      return [];
    const winner = history.returned.find(
      (one) =>
        one.back.outcome === "OK" &&
        one.call.id === call.id &&
        one.call.operation === call.operation &&
        one.call.to === call.to &&
        one.observation?.version === observation.version &&
        one.observation.timestamp === observation.timestamp,
    );
    return winner === undefined ? [] : [{ winner, loser }];
  });
  return pick(history, races);
}

export const CHANGE_MUTATIONS: readonly Mutation[] = [
  ...[lostWrite, doubleEffect, duplicateKey, rejectedChange, unrequestedChange, wrongWinner, twoWinners],
];
