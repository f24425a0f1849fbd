import type { ChangeDocument } from "../simulation/final-state.js";
import type { EditableHistory, Exchange, LogRecord } from "./editable-history.js";
import { type Mutation, pick } from "./mutation.js";

const NOT_MADE: ReadonlySet<string> = new Set(["ILLEGAL", "CONFLICT", "EXISTS", "MISSING", "NOTEXECUTED"]);

function documentsOf(log: readonly LogRecord[]): ChangeDocument[] {
  return log.map(({ document }) => document);
}

/** The logs of entities that stand at the end, behind a change of which a caller knows that it made it. */
function standing(history: EditableHistory, isFit: (last: LogRecord, log: readonly LogRecord[]) => boolean) {
  return history.logs.filter((log) => {
    const last = log.at(-1);
    if (last === undefined || last.document.type === `${last.document.machine}.removed`) return false;
    return isFit(last, log);
  });
}

/** The change after the last one of a log, as the server would have made it. */
function patched(last: ChangeDocument, op: string): ChangeDocument {
  const { forced, actor, reason, ...rest } = last;
  const next = { ...rest, type: `${last.machine}.updated`, from: last.state, version: last.version + 1, op };
  return next as ChangeDocument;
}

/** An acknowledged change that left nothing behind. */
const lostWrite: Mutation = {
  name: "lost write",
  rule: "acknowledgements",
  isVisible: true,
  inject: (history) => {
    const logs = standing(
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

/** A change that took effect once more, with a version of its own. */
const doubleEffect: Mutation = {
  name: "double effect",
  rule: "ops",
  isVisible: true,
  inject: (history) => {
    const logs = standing(history, (last) => history.makerOf(last)?.call.operation === "patch");
    const log = pick(history, logs);
    const last = log?.at(-1)?.document;
    if (log === undefined || last?.op === undefined) return false;
    const again = patched(last, last.op);
    history.endWith(log, [...documentsOf(log), again]);
    history.readAtEnd(again);
    return true;
  },
};

/** The op of one change is in the log a second time, in the place of another's. */
const opTwice: Mutation = {
  name: "op twice",
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

/** A caller was refused, and its change was made all the same. */
const refusedPresent: Mutation = {
  name: "refused op present",
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

/** A change that nobody asked for. */
const unasked: Mutation = {
  name: "change of nobody",
  rule: "requests",
  isVisible: true,
  inject: (history) => {
    const log = pick(
      history,
      standing(history, () => true),
    );
    const last = log?.at(-1)?.document;
    if (log === undefined || last === undefined) return false;
    const made = { ...patched(last, "nobody"), haunted: true } as ChangeDocument;
    history.endWith(log, [...documentsOf(log), made]);
    history.readAtEnd(made);
    return true;
  },
};

/** Two callers raced; the log says that the one who was refused has won. */
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

/** Two callers raced, and both were told that they won. */
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

/** Two that wanted the same of an entity, and the one who lost was shown what the other had made. */
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
  ...[lostWrite, doubleEffect, opTwice, refusedPresent, unasked, wrongWinner, twoWinners],
];
