import type { ClusterNode } from "./cluster-node.js";

const HOST = "127.0.0.1";
const MIGRATE_MS = 10_000;

/** Moves one slot from its owner to another primary, key by key, as `valkey-cli --cluster reshard` does. */
export class SlotMigration {
  readonly slot: number;
  readonly from: ClusterNode;
  readonly to: ClusterNode;
  #moved = 0;

  private constructor(slot: number, from: ClusterNode, to: ClusterNode) {
    this.slot = slot;
    this.from = from;
    this.to = to;
  }

  /** Opens the slot at both nodes. From now on, absent keys are asked of the importing node. */
  static async begin(slot: number, from: ClusterNode, to: ClusterNode): Promise<SlotMigration> {
    await to.admin.cluster("SETSLOT", slot, "IMPORTING", from.id);
    await from.admin.cluster("SETSLOT", slot, "MIGRATING", to.id);
    return new SlotMigration(slot, from, to);
  }

  /** Moves at most `count` keys, one by one. Returns the number of moved keys: fewer if there were no more. */
  async moveKeys(count: number): Promise<number> {
    const keys = (await this.from.admin.cluster("GETKEYSINSLOT", this.slot, count)) as string[];
    for (const key of keys) {
      await this.from.admin.call("MIGRATE", HOST, this.to.port, key, 0, MIGRATE_MS);
      this.#moved += 1;
    }
    return keys.length;
  }

  /** Moves the remaining keys, and makes the importing node the owner at all of `primaries`. */
  async finish(primaries: readonly ClusterNode[]): Promise<void> {
    while ((await this.moveKeys(100)) > 0);
    const others = primaries.filter((node) => node !== this.from && node !== this.to);
    // The importing node first: if it failed after the others, nobody would own the slot.
    await this.to.admin.cluster("SETSLOT", this.slot, "NODE", this.to.id);
    for (const { admin } of [this.from, ...others]) {
      await admin.cluster("SETSLOT", this.slot, "NODE", this.to.id).catch(expectReplica);
    }
  }

  /**
   * Ends the move with the slot and all keys at its first owner. The server cannot take a move back after keys have moved: a
   * slot that is closed then loses them. So the move is finished, as `valkey-cli --cluster fix` does, and then reversed.
   */
  async abort(primaries: readonly ClusterNode[]): Promise<void> {
    const { slot, from, to } = this;
    if (this.#moved === 0) {
      for (const { admin } of [from, to]) await admin.cluster("SETSLOT", slot, "STABLE");
      return;
    }
    await this.finish(primaries);
    await (await SlotMigration.begin(slot, to, from)).finish(primaries);
  }
}

/** Accepts the error of a node that is a replica by now. A node that has lost its last slot becomes one at once. */
function expectReplica(error: unknown): void {
  if (!(error instanceof Error && /SETSLOT only with (masters|primaries)/.test(error.message))) throw error;
}
