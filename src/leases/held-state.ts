import type { Change, Replay, Snapshot } from "../contract/document.js";
import type { MachineLocation } from "../valkey/keys.js";

/** What a change of one's own leaves of a hold: it goes on, it is over, or it turns out to be lost. */
export type Standing = "held" | "left" | { readonly lost: string };

/** What is held: an entity's stay in a state, and where the hold is fenced, the version. */
export class HeldState<S extends string = string> {
  readonly state: S;
  readonly #location: MachineLocation;
  readonly #createdAt: string;
  readonly #since: string;
  readonly #isFenced: boolean;
  #version: number;

  constructor(location: MachineLocation, entity: Snapshot<S>, isFenced: boolean) {
    this.state = entity.state;
    this.#location = location;
    this.#createdAt = entity.createdAt;
    this.#since = entity.since;
    this.#isFenced = isFenced;
    this.#version = entity.version;
  }

  /** The version that was last confirmed. */
  get version(): number {
    return this.#version;
  }

  /** Under what condition the lease may be renewed. */
  get guard(): { readonly ifVersion: number } | { readonly ifState: S } {
    return this.#isFenced ? { ifVersion: this.#version } : { ifState: this.state };
  }

  /** Takes note of the entity whose lease was renewed. @returns why it is lost all the same */
  renewed({ since, version }: Snapshot): string | undefined {
    if (since !== this.#since) return `it was entered anew at ${since}`;
    this.#version = version;
    return undefined;
  }

  /** Takes note of a change of one's own. */
  changed(change: Change | Replay): Standing {
    const met = this.#version;
    this.#version = change.opVersion ?? change.version;
    const lost = this.#otherStay(change, met);
    if (lost !== undefined) return { lost };
    // Others came after it, and who of them left the state, if any did, is not known: a renewal tells.
    if (change.version !== this.#version) return "held";
    const isSame = change.state === this.state && change.since === this.#since && !this.#removes(change);
    return isSame ? "held" : "left";
  }

  /** Why a change shows that what it met was not what is held, though at the same version. */
  #otherStay(change: Change | Replay, version: number): string | undefined {
    const { createdAt, since, from, type } = change;
    if (createdAt !== this.#createdAt) return `it was created anew, at ${createdAt}`;
    // A replay shows the entity as it is now, not what its change met.
    if (from === undefined) return undefined;
    const stays = type === `${this.#location.machine}.updated` || this.#removes(change);
    if (from === this.state && (since === this.#since || !stays)) return undefined;
    return `it was ${from} at version ${version} too, since ${since}`;
  }

  #removes({ type }: Change | Replay): boolean {
    return type === `${this.#location.machine}.removed`;
  }
}
