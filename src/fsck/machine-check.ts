import type { Valkey } from "iovalkey";
import { readReply } from "../contract/reply.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { scripts } from "../lua/index.js";
import { ask } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import { replyCode } from "../valkey/failure.js";
import { applyKeys } from "../valkey/keys.js";
import { pause } from "../valkey/real-time.js";
import { runScript } from "../valkey/script.js";
import { type Defect, type Finding, manual } from "./finding.js";
import type { Partition } from "./partition.js";
import { checkEqual, checkListed, checkRows } from "./rows-check.js";
import { readStoredMachine, type StoredMachine } from "./stored-machine.js";

/** Time that an apply to all partitions may take, in ms. */
const APPLY_MS = 500;

/** Explains by error code why the server cannot run the apply script. */
const OBSTACLES: Readonly<Record<string, string>> = {
  NOPERM: "this user lacks the permissions of a writer (NOPERM)",
  READONLY: "the server is a replica",
  OOM: "the server rejects scripts now (OOM)",
  MISCONF: "the server rejects scripts now (MISCONF)",
  NOREPLICAS: "the server rejects scripts now (NOREPLICAS)",
};

/** Holds a machine as all partitions store it. */
export interface MachineCheck {
  readonly first: StoredMachine;
  /** The machine of each partition. */
  readonly installed: readonly (StoredMachine | undefined)[];
  readonly findings: readonly Finding[];
  /** The reason why the apply script could not run; undefined if it ran. */
  readonly obstacle: string | undefined;
  /** Error codes of the partitions whose slot is moving to another node, by number. */
  readonly moving: ReadonlyMap<number, string>;
}

/** Error replies of a slot that moves to another node of a cluster. */
const MOVES = ["MOVED", "ASK", "TRYAGAIN"];

/** Returns the code of an error that means that a slot is moving; undefined for others. */
export function moveCode(error: unknown): string | undefined {
  return error instanceof NotExecutedError && MOVES.includes(error.reply) ? error.reply : undefined;
}

/**
 * Checks the machine in all partitions. If it finds something it checks again, because an apply may be in progress.
 *
 * @returns undefined if no partition has the machine.
 * @throws what `ask` throws
 */
export async function checkStoredMachine(
  connection: Connection,
  partitions: readonly Partition[],
  isReplica: boolean,
): Promise<MachineCheck | undefined> {
  const askOf = <T>(partition: Partition, question: (client: Valkey) => Promise<T>): Promise<T> =>
    ask(connection.of(partition.keys.machine), `fsck ${partition.location.machine}`, question);
  for (let isLast = false; ; isLast = true) {
    const installed: (StoredMachine | undefined)[] = [];
    for (const partition of partitions)
      installed.push(await askOf(partition, (client) => readStoredMachine(client, partition)));
    const first = installed.find((machine) => machine !== undefined);
    if (first === undefined) return undefined;
    const findings: Finding[] = [];
    const moving = new Map<number, string>();
    let obstacle: string | undefined;
    for (const [at, partition] of partitions.entries()) {
      const machine = installed[at];
      const defects =
        machine === first ? checkRows(partition, machine) : checkEqual(partition, machine, first);
      if (machine !== undefined && defects.length === 0) {
        const check = await askOf(partition, (client) =>
          checkByDryRun(client, partition, machine, isReplica),
        ).catch((error: unknown) => {
          const code = moveCode(error);
          if (code === undefined) throw error;
          moving.set(at, code);
          return { defects: [], obstacle: undefined };
        });
        defects.push(...check.defects);
        obstacle ??= check.obstacle;
      }
      if (machine !== undefined && defects.length === 0) defects.push(...checkListed(partition, machine));
      findings.push(...defects.map((defect) => manual(partition.number, defect)));
    }
    if (findings.length === 0 || isLast) return { first, installed, findings, obstacle, moving };
    await pause(APPLY_MS);
  }
}

/** Checks by a dry run of apply that the installed machine is the one of its own definition. */
async function checkByDryRun(
  client: Valkey,
  { keys, location, number }: Partition,
  { definition }: StoredMachine,
  isReplica: boolean,
): Promise<{ readonly defects: readonly Defect[]; readonly obstacle?: string | undefined }> {
  if (definition === undefined) return { defects: [] };
  // A replica is not asked, because a READONLY reply makes the client reconnect.
  if (isReplica) return { defects: [], obstacle: OBSTACLES.READONLY };
  const args = [definition.json, "DRYRUN"];
  const reply = await runScript(client, scripts.apply, applyKeys(location, number), args).catch(
    (error: unknown) => {
      const code = replyCode(error);
      if (code in OBSTACLES || ["BADARG", "LAYOUT", "WRONGTYPE"].includes(code)) return code;
      throw error;
    },
  );
  if (typeof reply === "string") {
    const obstacle = OBSTACLES[reply];
    if (obstacle !== undefined) return { defects: [], obstacle };
    if (reply === "WRONGTYPE") return { defects: [] }; // an index of another type is a finding of its own
  } else {
    const { outcome, text } = readReply(reply);
    if (outcome === "OK" && text !== null && JSON.parse(text).changed === false) return { defects: [] };
  }
  const message = "a dry run of apply reports that the installed machine differs from its definition";
  const why = "apply the definition again under a higher version";
  return { defects: [{ kind: "machine-broken", id: "", key: keys.machine, message, why }] };
}
