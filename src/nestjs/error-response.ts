import { checkFlag, checkOptions } from "../contract/arguments.js";
import type { Snapshot } from "../contract/document.js";
import type { ErrorCode } from "../errors/codes.js";
import type { ConnectCause } from "../errors/connect-error.js";
import { mayPassSoon } from "../valkey/connect-error.js";
import { isLasting } from "../valkey/failure.js";
import type { KnownError } from "./known-error.js";

/** Options of `LatchkeyExceptionFilter` and `LatchkeyRpcExceptionFilter`. */
export interface LatchkeyExceptionFilterOptions {
  /** Adds the current entity to the body, with its own fields. @default true */
  readonly current?: boolean;
}

/** Checks the options of a filter. @throws ContractError if one is invalid */
export function hasCurrent(options: LatchkeyExceptionFilterOptions): boolean {
  checkOptions(options, ["current"]);
  checkFlag("current", options.current);
  return options.current ?? true;
}

/** Body of the response to a request that failed with an error of latchkey. */
export interface ErrorBody {
  readonly statusCode: number;
  readonly code: string;
  /** The error's message below 500. From 500 on a fixed text, because messages name servers. */
  readonly message: string;
  /** The current entity, if the error has it; null if it does not exist. */
  readonly current?: Snapshot | null;
  /** Idempotency key of a change whose outcome is unknown. */
  readonly op?: string;
  /** True if the change was applied nevertheless. */
  readonly applied?: true;
}

const INTERNAL = "Internal server error";
const UNAVAILABLE = "the service is temporarily unavailable; try again later";

/** The HTTP status of each code; with a text if the error's own message may name servers. */
const ROWS: Readonly<Record<ErrorCode, number | readonly [status: number, message: string]>> = {
  BADARG: 400,
  NOTFOUND: 404,
  EXPIRED: 408,
  // As EXPIRED: nothing is wrong with the entity, and the request may be repeated.
  TIMEDOUT: 408,
  ILLEGAL: 409,
  EXISTS: 409,
  CONFLICT: 409,
  FORGOTTEN: 409,
  FINAL: 409,
  LEASELOST: 409,
  INUSE: 409,
  // The caller's cursor is too old: as the watch of Kubernetes answers then.
  GAP: 410,
  MISSING: 422,
  NOTEXECUTED: [503, "the request was not executed; try again later"],
  UNREACHABLE: [503, UNAVAILABLE],
  CLOSED: [503, UNAVAILABLE],
  UNKNOWN: [504, "the outcome is unknown: the change may or may not be applied"],
  // Not 2xx, because the requested durability was not reached; not 503 or 504, because clients repeat those by themselves.
  NOTDURABLE: [
    500,
    "the change was applied, but a failure of the server can still lose it; do not repeat it",
  ],
  LAYOUT: [500, INTERNAL],
  NESTED: [500, INTERNAL],
  NOMACHINE: [500, INTERNAL],
  NOREACTION: [500, INTERNAL],
  PARTITIONS: [500, INTERNAL],
  PROTOCOL: [500, INTERNAL],
  REASSIGNED: [500, INTERNAL],
  MACHINE_INVALID: [500, INTERNAL],
  MACHINE_FILE: [500, INTERNAL],
  NO_VALKEY: [500, INTERNAL],
  SERVER_START: [500, INTERNAL],
  SERVER_ENDED: [500, INTERNAL],
  USAGE: [500, INTERNAL],
};

/** The HTTP status of each code, unless a retry cannot help. The docs have the same table. */
export const STATUSES: ReadonlyMap<string, number> = new Map(
  Object.entries(ROWS).map(([code, row]) => [code, typeof row === "number" ? row : row[0]]),
);

/** Makes the body of the response to an error. @param hasCurrent false to leave out the current entity */
export function errorBody(error: KnownError, hasCurrent = true): ErrorBody {
  const { code, current = error.document, op } = error;
  const [statusCode, message] = rowOf(error);
  return {
    statusCode,
    code,
    message,
    ...(hasCurrent && current !== undefined && { current }),
    ...(code === "UNKNOWN" && op !== undefined && { op }),
    ...(code === "NOTDURABLE" && { applied: true }),
  };
}

function rowOf(error: KnownError): readonly [status: number, message: string] {
  const row = isDefect(error) ? undefined : ROWS[error.code as ErrorCode];
  if (typeof row === "number") return [row, error.message];
  return row ?? [500, INTERNAL];
}

/** Returns true if the server rejects this program, for example for want of a permission: a retry does not help. */
function isDefect({ code, reason, reply = "" }: KnownError): boolean {
  if (code === "NOTEXECUTED") return isLasting(reply);
  return code === "UNREACHABLE" && !mayPassSoon({ reason: reason as ConnectCause });
}
