import { ApplyInterruptedError } from "../errors/apply-interrupted-error.js";
import { isError } from "../errors/is-error.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { MachineInUseError } from "../errors/machine-in-use-error.js";
import { scripts } from "../lua/index.js";
import { Deadline } from "../valkey/deadline.js";
import { applyKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { callUntilAnswered } from "../valkey/script-call.js";
import { type PartitionVersions, readPartitions, versionsText } from "./partitions.js";

/** Reply of one partition to `apply`. */
export interface ApplyReply {
  readonly machine: string;
  readonly version: number;
  readonly changed?: boolean;
  readonly retired?: Record<string, number>;
  readonly problem?: "LOWER" | "DIFFERENT" | "STATES";
  readonly states?: Record<string, number>;
}

/** Time limit of the read of the installed versions, after a failure. */
const VERSIONS_MS = 1_000;

/**
 * Runs the script in all partitions, one after the other.
 *
 * @param timeoutMs time limit in each partition
 * @throws MachineInUseError if a partition rejects the definition
 * @throws ApplyInterruptedError if some partitions have or may have the definition, but not certainly all
 */
export async function applyEverywhere(
  store: MachineStore,
  words: readonly string[],
  timeoutMs = store.connection.timeoutMs,
): Promise<ApplyReply[]> {
  const { connection, location } = store;
  const replies: ApplyReply[] = [];
  const name = `apply ${location.machine}`;
  const isDryRun = words.includes("DRYRUN");
  /** True if a partition may have the definition. */
  let isOpen = false;
  for (let partition = 0; partition < location.partitions; partition += 1) {
    try {
      const { outcome, text } = await callUntilAnswered(connection, {
        name,
        script: scripts.apply,
        keys: applyKeys(location, partition),
        words,
        timeoutMs,
        notAfter: null,
        effect: "the partition may have the definition",
      });
      if (text === null) throw new LatchkeyError("PROTOCOL", "the reply of apply has no document");
      const reply = JSON.parse(text) as ApplyReply;
      if (outcome === "INUSE") throw inUse(reply, await versionsNow(store, replies));
      isOpen ||= reply.changed === true;
      replies.push(reply);
    } catch (error) {
      isOpen ||= error instanceof LatchkeyError && error.code === "UNKNOWN";
      if (isDryRun || !isOpen || error instanceof MachineInUseError) throw error;
      throw interrupted(store, error, await versionsNow(store, replies));
    }
  }
  return replies;
}

/** Reads the versions of all partitions. If the server does not reply, returns those of which a reply is known. */
async function versionsNow(
  { connection, location, definition }: MachineStore,
  replies: readonly ApplyReply[],
): Promise<PartitionVersions> {
  const versions = await readPartitions(connection, location, { deadline: Deadline.in(VERSIONS_MS) }).then(
    (partitions) => partitions.map(({ version }) => version),
    () => replies.map(() => definition.version),
  );
  return { ...versions };
}

function interrupted(
  { location: { machine } }: MachineStore,
  error: unknown,
  versions: PartitionVersions,
): ApplyInterruptedError {
  const message = isError(error) ? error.message : String(error);
  const why = message.replace(/; send it again$/, ""); // the versions have the instruction
  const state = versionsText(versions) || "some partitions may have the new version; apply it again";
  return new ApplyInterruptedError(`machine ${machine}: ${why}; ${state}`, machine, versions, error);
}

function inUse(
  { machine, version, problem = "DIFFERENT", states = {} }: ApplyReply,
  versions: PartitionVersions,
): MachineInUseError {
  const counts = Object.entries(states).map(([state, number]) => `${number} in ${state}`);
  const why = {
    LOWER: `version ${version} is installed, which is newer; raise the version of the definition`,
    DIFFERENT: `version ${version} is installed with another definition; raise the version of the definition`,
    STATES: `entities are in states that this version drops (${counts.join(", ")}); map each to a state that it has ({ map: { old: "new" } }, or --map old=new)`,
  }[problem];
  const mixed = versionsText(versions);
  const message = `machine ${machine}: ${why}${mixed === "" ? "" : `; ${mixed}`}`;
  return new MachineInUseError(message, machine, version, problem, states, versions);
}
