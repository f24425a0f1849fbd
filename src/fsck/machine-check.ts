import type { Valkey } from "iovalkey";
import { readReply } from "../contract/reply.js";
import type { NotExecutedError } from "../errors/outcome-errors.js";
import { scripts } from "../lua/index.js";
import { replyCode } from "../valkey/failure.js";
import { applyKeys } from "../valkey/keys.js";
import { pause } from "../valkey/real-time.js";
import { runScript } from "../valkey/script.js";
import { type Defect, type Finding, manual } from "./finding.js";
import type { Partition } from "./partition.js";
import type { PartitionServers } from "./partition-servers.js";
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
  /** Errors of the partitions whose slot is moving to another node, or whose server is unreachable, by number. */
  readonly skipped: ReadonlyMap<number, NotExecutedError>;
}

/**
 * Checks the machine in all partitions. If it finds something it checks again, because an apply may be in progress.
 *
 * @returns undefined if no partition has the machine.
 * @throws what `ask` throws, except about a partition that is skipped
 */
export async function checkStoredMachine(
  servers: PartitionServers,
  partitions: readonly Partition[],
  isReplica: boolean,
): Promise<MachineCheck | undefined> {
  for (let isLast = false; ; isLast = true) {
    const skipped = new Map<number, NotExecutedError>();
    const tryAsk = async <T>(
      { keys, number }: Partition,
      question: (client: Valkey) => Promise<T>,
    ): Promise<T | undefined> => {
      try {
        return await servers.ask(keys.machine, question);
      } catch (error) {
        if (!servers.isOfPartition(error)) throw error;
        skipped.set(number, error);
        return undefined;
      }
    };
    const installed: (StoredMachine | undefined)[] = [];
    for (const partition of partitions)
      installed.push(await tryAsk(partition, (client) => readStoredMachine(client, partition)));
    const first = installed.find((machine) => machine !== undefined);
    const [obstacle] = skipped.values();
    if (first === undefined && obstacle !== undefined) throw obstacle; // that partition may have it
    if (first === undefined) return undefined;
    const findings: Finding[] = [];
    let reason: string | undefined;
    for (const [at, partition] of partitions.entries()) {
      if (skipped.has(at)) continue;
      const machine = installed[at];
      const defects =
        machine === first ? checkRows(partition, machine) : checkEqual(partition, machine, first);
      if (machine !== undefined && defects.length === 0) {
        const check = await tryAsk(partition, (client) =>
          checkByDryRun(client, partition, machine, isReplica),
        );
        defects.push(...(check?.defects ?? []));
        reason ??= check?.obstacle;
      }
      if (machine !== undefined && defects.length === 0) defects.push(...checkListed(partition, machine));
      findings.push(...defects.map((defect) => manual(partition.number, defect)));
    }
    if (findings.length === 0 || isLast) return { first, installed, findings, obstacle: reason, skipped };
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
