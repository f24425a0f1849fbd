/** The options of one call of a script, from its words. */
export interface ModelCall {
  /** Own fields to write, each with its JSON text. */
  readonly set: ReadonlyMap<string, string>;
  readonly unset: ReadonlySet<string>;
  readonly ifVersion?: number;
  readonly ifState?: string;
  readonly op?: string;
  readonly seen?: string;
  readonly actor?: string;
  readonly reason?: string;
  readonly notAfter?: number;
  readonly isForced: boolean;
  readonly isDryRun: boolean;
}

/** An error reply of a script: the call wrote nothing. */
export class ErrorReply extends Error {
  override readonly name = "ErrorReply";
}

/** Words with one value that is kept as it is. */
const TEXTS = { IFSTATE: "ifState", OP: "op", SEEN: "seen", ACTOR: "actor", REASON: "reason" } as const;
const NUMBERS = { IFVERSION: "ifVersion", NOTAFTER: "notAfter" } as const;

/** Reads the option words of a call that a client has checked. */
export function readWords(words: readonly string[]): ModelCall {
  const set = new Map<string, string>();
  const unset = new Set<string>();
  const options: { -readonly [K in keyof ModelCall]?: ModelCall[K] } = {};
  const rest = [...words];
  const next = (): string => rest.shift() ?? "";
  while (rest.length > 0) {
    const word = next();
    if (word === "SET") set.set(next(), next());
    else if (word === "UNSET") unset.add(next());
    else if (word === "FORCE") options.isForced = true;
    else if (word === "DRYRUN") options.isDryRun = true;
    else if (isIn(NUMBERS, word)) options[NUMBERS[word]] = Number(next());
    else if (isIn(TEXTS, word)) options[TEXTS[word]] = next();
    else throw new ErrorReply("BADARG option");
  }
  return { isForced: false, isDryRun: false, ...options, set, unset };
}

/** A call without options. */
export const NO_CALL = readWords([]);

function isIn<T extends object>(table: T, word: string): word is keyof T & string {
  return Object.hasOwn(table, word);
}
