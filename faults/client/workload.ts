import type { JsonValue } from "latchkey";
import type { DurabilityLevel, Operation } from "../history/records.js";
import { type JobState, job } from "../machines/job.js";
import { happens, type Random, shuffled } from "../random.js";

/** Describes one call to make. */
export interface PlannedCall {
  readonly operation: Operation;
  readonly id: string;
  readonly to?: string;
  readonly set?: Readonly<Record<string, JsonValue>>;
  readonly unset?: readonly string[];
  readonly ifVersion?: number;
  readonly ifState?: string;
  readonly op?: string;
  /** Position of the event log before the first attempt. */
  readonly seen?: string;
  readonly notAfter?: number;
  readonly durability?: DurabilityLevel;
}

/** Holds what a client last saw of an entity; null if it did not exist. */
export type KnownState = { readonly state: string; readonly version: number } | null;

/** Number of entities that all clients race for, that are often removed and created again, and of others, in each generation. */
const [HOT, REBORN, COLD] = [10, 60, 300];
const REBORN_PREFIX = "reborn-";
const STATES = Object.keys(job.states) as JobState[];
const ODD_VALUES: readonly JsonValue[] = [
  [],
  {},
  null,
  "",
  0.1,
  -0.5e-7,
  9_007_199_254_740_991,
  [[], { a: [] }],
  'a "quoted" \\ text\nof two lines',
  "Zürich 東京 🗝",
  { "{tag}": "}{" },
];

/** Chooses an id of this generation. Half of all calls go to the few hot ids. */
export function chooseId(random: Random, generation: number): string {
  if (happens(random, 50)) return `hot-${generation}-${random.below(HOT)}`;
  if (happens(random, 40)) return `${REBORN_PREFIX}${generation}-${random.below(REBORN)}`;
  // Cold ids use every kind of character that an id may have.
  return `cold~${generation}:@/+=_.-${random.below(COLD)}`;
}

/**
 * Returns changes to make at once for an id that is often removed: two creates, a removal, and earlier changes of the
 * same id again. Undefined for other ids, and mostly.
 */
export function chooseVolley(
  random: Random,
  id: string,
  done: readonly PlannedCall[],
): readonly PlannedCall[] | undefined {
  if (!id.startsWith(REBORN_PREFIX) || !happens(random, 15)) return undefined;
  const again = done.filter((one) => one.id === id).slice(-2);
  return shuffled(random, [
    { operation: "create", id },
    { operation: "remove", id },
    { operation: "create", id, set: fields(random) },
    ...again,
  ]);
}

/** Chooses the next call for an entity. `done` are earlier changes that may be retried. */
export function chooseStep(
  random: Random,
  id: string,
  known: KnownState | undefined,
  done: readonly PlannedCall[],
): PlannedCall {
  const dice = random.below(100);
  if (dice < 15) return { operation: "get", id };
  if (dice < 20 && done.length > 0) return random.of(done);
  if (id.startsWith(REBORN_PREFIX) && dice < 75) {
    if (dice < 45) return { operation: "create", id, ...(happens(random, 40) && { set: fields(random) }) };
    return { operation: "remove", id, ...(happens(random, 20) && guard(random, known)) };
  }
  if (known === null || known === undefined || dice < 25) {
    // A client that knows of no entity mostly creates it; otherwise it gets NOTFOUND.
    if (known === null ? random.below(10) < 9 : random.below(10) < 5) {
      return { operation: "create", id, ...(happens(random, 40) && { set: fields(random) }) };
    }
  }
  if (dice < 35) return { operation: "patch", id, ...change(random), ...guard(random, known) };
  if (dice < 38) return { operation: "remove", id, ...guard(random, known) };
  if (dice < 43) return { operation: "transition", id, to: wrongTarget(random, known) };
  const to = target(random, known);
  const set = to === "failed" && happens(random, 90) ? { error: `exit ${random.below(256)}` } : {};
  return {
    operation: "transition",
    id,
    to,
    ...(to === "failed" || happens(random, 20)
      ? { set: { ...set, ...(happens(random, 30) && fields(random)) } }
      : {}),
    ...guard(random, known),
  };
}

function fields(random: Random): Record<string, JsonValue> {
  return {
    n: random.below(1_000_000),
    ...(happens(random, 30) && { [random.of(["note", "tag", "result"])]: random.of(ODD_VALUES) }),
  };
}

function change(random: Random): Pick<PlannedCall, "set" | "unset"> {
  if (happens(random, 80)) return { set: fields(random) };
  return { set: { n: random.below(1_000_000) }, unset: [random.of(["note", "tag", "result"])] };
}

function guard(random: Random, known: KnownState | undefined): Pick<PlannedCall, "ifVersion" | "ifState"> {
  if (known === null || known === undefined) return {};
  if (happens(random, 15)) return { ifVersion: known.version };
  if (happens(random, 10)) return { ifState: known.state };
  return {};
}

function nextOf(state: string | undefined): readonly string[] {
  return STATES.flatMap((one) => (one === state ? (job.states[one].to ?? []) : []));
}

/** Chooses a state that the entity may go to, as far as the client knows; rarely one without an exit. */
function target(random: Random, known: KnownState | undefined): string {
  const all = nextOf(known?.state);
  const lively = all.filter((state) => state !== "cancelled");
  if (lively.length > 0 && !happens(random, 2)) return random.of(lively);
  return all.length > 0 ? random.of(all) : "running";
}

function wrongTarget(random: Random, known: KnownState | undefined): string {
  const allowed = nextOf(known?.state);
  const wrong = STATES.filter((state) => !allowed.includes(state));
  return happens(random, 20) || wrong.length === 0 ? "nowhere" : random.of(wrong);
}
