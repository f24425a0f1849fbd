/** What one agent of the demo is to do. */
export interface Task {
  readonly id: string;
  readonly taskId: string;
  /** A line for `sh -c`. */
  readonly command: string;
  /** Why the operator will kill it; undefined where it may end by itself. */
  readonly killReason?: string;
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

/** What the agents are to do: of ten, seven finish, two fail and one waits until the operator kills it. */
export function planTasks(agents: number): Task[] {
  return Array.from({ length: agents }, (_, at) => planTask(at + 1));
}

function planTask(number: number): Task {
  const id = `agent-${String(number).padStart(4, "0")}`;
  const taskId = `task-${number}`;
  const round = Math.floor(number / 10);
  switch (number % 10) {
    case 3:
    case 7:
      return { id, taskId, command: `${FAILS}${pick(EXIT_CODES, round)}` };
    case 5:
      return { id, taskId, command: WAITS, killReason: pick(KILL_REASONS, round) };
    default:
      return { id, taskId, command: FINISHES };
  }
}

function pick<T>(values: readonly [T, ...T[]], at: number): T {
  return values[at % values.length] ?? values[0];
}
