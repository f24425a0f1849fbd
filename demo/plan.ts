/** What one agent of the demo is to do. */
export interface Task {
  readonly id: string;
  readonly taskId: string;
  /** A line for `sh -c`. */
  readonly command: string;
  /** Why the operator will kill it; undefined where it may end by itself. */
  readonly killReason?: string;
  /** The replica that starts it. */
  readonly owner: string;
  /** Whether it works until the replica that is to die is dead. */
  readonly isLong: boolean;
}

/**
 * The processes are small shells that wait for a line on their standard input: real processes with real exit codes,
 * yet so light that hundreds run in seconds on two cores. They begin to work only when told, since a process that ends
 * before anybody recorded it as running would have skipped a state; and they end at once when the replica that holds
 * the other end of the pipe is gone.
 */
const FINISHES = 'read -r task || exit 1; echo "$task done"';
const FAILS = 'read -r task || exit 1; echo "$task: no such input" >&2; exit ';
const WAITS = "read -r task || exit 1; while read -r more; do :; done; exit 1";

const KILL_REASONS = ["over budget", "not needed any more", "stuck"] as const;
const EXIT_CODES = [1, 2, 3, 64, 137] as const;

/** The replica that is to die has its share of this part of the tasks, and then no more. */
const DOOMED_PART = 1 / 2;
/** So many long ones at most: each is a process that is there all the time. */
const MOST_LONG = 16;

/**
 * What the agents are to do: of ten, seven finish, two fail and one waits until the operator kills it. The last ones
 * of the replica that is to die work on until it does.
 *
 * @param replicas their names; each in turn is given an agent
 * @param doomed the one of them that is to be killed
 */
export function planTasks(agents: number, replicas: readonly string[], doomed: string): Task[] {
  const survivors = replicas.filter((name) => name !== doomed);
  const shared = Math.ceil(agents * DOOMED_PART);
  const tasks: Task[] = [];
  for (let at = 0; at < agents; at++) {
    const owners = at < shared ? [doomed, ...survivors] : survivors;
    tasks.push(planTask(at + 1, owners[at % owners.length] ?? doomed));
  }
  const its = tasks.filter(({ owner }) => owner === doomed);
  const long = new Set(its.slice(-Math.min(Math.ceil(its.length / 2), MOST_LONG)));
  return tasks.map((task) => (long.has(task) ? prolonged(task) : task));
}

function prolonged({ id, taskId, owner }: Task): Task {
  return { id, taskId, command: WAITS, owner, isLong: true };
}

function planTask(number: number, owner: string): Task {
  const id = `agent-${String(number).padStart(4, "0")}`;
  const taskId = `task-${number}`;
  const its = { id, taskId, owner, isLong: false };
  const round = Math.floor(number / 10);
  switch (number % 10) {
    case 3:
    case 7:
      return { ...its, command: `${FAILS}${pick(EXIT_CODES, round)}` };
    case 5:
      return { ...its, command: WAITS, killReason: pick(KILL_REASONS, round) };
    default:
      return { ...its, command: FINISHES };
  }
}

function pick<T>(values: readonly [T, ...T[]], at: number): T {
  return values[at % values.length] ?? values[0];
}
