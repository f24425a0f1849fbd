import type { ClusterNode } from "./cluster-node.js";
import { poll } from "./poll.js";

/** A stage of a migration at the node that gives its slots away. */
type MigrationState =
  | "snapshotting"
  | "waiting-to-pause"
  | "failover-granted"
  | "success"
  | "cancelled"
  | "failed";

/**
 * Moves slots from their owner to another primary as Valkey 9 does it itself: the owner sends a copy and then each change. It
 * pauses changes until the other node has everything and is the owner.
 */
export class AtomicMigration {
  readonly slots: readonly number[];
  readonly from: ClusterNode;
  readonly to: ClusterNode;
  readonly #name: string;

  private constructor(slots: readonly number[], from: ClusterNode, to: ClusterNode, name: string) {
    this.slots = slots;
    this.from = from;
    this.to = to;
    this.#name = name;
  }

  static async begin(slots: readonly number[], from: ClusterNode, to: ClusterNode): Promise<AtomicMigration> {
    const before = new Set((await jobs(from)).map((job) => job.get("name")));
    const ranges = slots.flatMap((slot) => [slot, slot]);
    await from.admin.call("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", ...ranges, "NODE", to.id);
    const job = (await jobs(from)).find((one) => !before.has(one.get("name")));
    if (job === undefined) throw new Error(`${from.name} does not report the migration that it has begun`);
    return new AtomicMigration(slots, from, to, String(job.get("name")));
  }

  /** Waits until the owner reports a state. @throws Error if the migration ends with another one */
  async reach(state: MigrationState): Promise<void> {
    const job = await poll(`the migration did not reach ${state}`, async () => {
      const own = (await jobs(this.from)).find((one) => one.get("name") === this.#name);
      return [state, "success", "cancelled", "failed"].includes(String(own?.get("state"))) ? own : undefined;
    });
    if (job.get("state") === state) return;
    throw new Error(`The migration ended as ${job.get("state")}: ${job.get("message")}`);
  }

  /** Ends all migrations of the owner. The slots stay there. */
  async cancel(): Promise<void> {
    await this.from.admin.call("CLUSTER", "CANCELSLOTMIGRATIONS");
    await this.reach("cancelled");
  }
}

/** Returns what a node reports of its migrations, including those that have ended. */
async function jobs({ admin }: ClusterNode): Promise<ReadonlyMap<string, unknown>[]> {
  const replies = (await admin.call("CLUSTER", "GETSLOTMIGRATIONS")) as unknown[][];
  return replies.map(
    (reply) =>
      new Map(reply.flatMap((name, at) => (at % 2 === 0 ? [[String(name), reply[at + 1]] as const] : []))),
  );
}
