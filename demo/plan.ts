/** The work of one agent of the demo. */
export interface Task {
  readonly id: string;
  readonly taskId: string;
  /** A line for `sh -c`. */
  readonly command: string;
  /** Reason why the operator will kill it; undefined if it ends by itself. */
  readonly killReason?: string;
  /** The replica that starts it. */
  readonly owner: string;
  /** True if it works until its replica has been killed. */
  readonly isLong: boolean;
}

/**
 * The processes are small shells that wait for a line on their standard input: real processes with real exit codes, but
 * so light that hundreds run in seconds on two cores. They begin to work only when they get the line, because a process
 * that ends before anybody recorded it as running would skip a state. They end at once if their replica is gone,
 * because it holds the other end of the pipe.
 */
const FINISHES = 'read -r task || exit 1; echo "$task done"';
const FAILS = 'read -r task || exit 1; echo "$task: no such input" >&2; exit ';
const WAITS = "read -r task || exit 1; while read -r more; do :; done; exit 1";

const KILL_REASONS = ["over budget", "no longer needed", "stuck"] as const;
const EXIT_CODES = [1, 2, 3, 64, 137] as const;

/** The victim gets its share of this part of the tasks, and none of the rest. */
const VICTIM_PART = 1 / 2;
/** Maximum number of long tasks: each is a process that exists all the time. */
const MAX_LONG = 16;

/**
 * Plans the agents: of ten, seven finish, two fail, and the operator kills one. The last agents of the victim work until
 * it is killed.
 *
 * @param replicas names of the replicas; each in turn gets an agent
 * @param victim the replica that is killed
 */
export function planTasks(agents: number, replicas: readonly string[], victim: string): Task[] {
  const survivors = replicas.filter((name) => name !== victim);
  const shared = Math.ceil(agents * VICTIM_PART);
  const tasks: Task[] = [];
  for (let at = 0; at < agents; at++) {
    const owners = at < shared ? [victim, ...survivors] : survivors;
    tasks.push(planTask(at + 1, owners[at % owners.length] ?? victim));
  }
  const own = tasks.filter(({ owner }) => owner === victim);
  const long = new Set(own.slice(-Math.min(Math.ceil(own.length / 2), MAX_LONG)));
  return tasks.map((task) => (long.has(task) ? prolonged(task) : task));
}

/**
 * Plans the agents of the race of the replaced service: the same kinds, but nobody is killed in the middle, and the
 * agents that the operator kills are about to finish by themselves.
 */
export function planReplacedTasks(agents: number, replicas: readonly string[]): Task[] {
  return Array.from({ length: agents }, (_, at) => {
    const task = planTask(at + 1, replicas[at % replicas.length] ?? "");
    return task.killReason === undefined ? task : { ...task, command: FINISHES };
  });
}

function prolonged({ id, taskId, owner }: Task): Task {
  return { id, taskId, command: WAITS, owner, isLong: true };
}

function planTask(number: number, owner: string): Task {
  const id = `a${number}`;
  const taskId = `task-${number}`;
  const task = { id, taskId, owner, isLong: false };
  const round = Math.floor(number / 10);
  switch (number % 10) {
    case 3:
    case 7:
      return { ...task, command: `${FAILS}${pick(EXIT_CODES, round)}` };
    case 5:
      return { ...task, command: WAITS, killReason: pick(KILL_REASONS, round) };
    default:
      return { ...task, command: FINISHES };
  }
}

function pick<T>(values: readonly [T, ...T[]], at: number): T {
  return values[at % values.length] ?? values[0];
}
