import type { LatchkeyError } from "../../errors/latchkey-error.js";
import { backoffMs } from "../backoff.js";
import type { Server, ToServer } from "../connection.js";
import { mayPass, OfflineError } from "../failure.js";
import type { Place } from "../place.js";
import type { ConnectionCheck } from "../readiness.js";
import { pause } from "../real-time.js";
import type { ServerConnection } from "../server-connection.js";
import { openReceiver } from "./receiver.js";
import type { NodeAddress } from "./slots.js";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 10_000;

/** The way to one node. */
export interface NodeLink {
  /** Address of the node, without credentials. */
  readonly text: string;
  /** Opens the connection to the node. @throws ConnectError */
  connect(): Promise<ServerConnection>;
  /** Ends the attempts to connect that are under way. */
  close(): void;
}

/** Provides the way to a node, and receives its changes. */
export interface NodeOwner {
  /** Error that rejects all further calls. */
  readonly failure: LatchkeyError | undefined;
  link(address: NodeAddress): NodeLink;
  /** Called when the node becomes reachable or is lost. */
  onChange(): void;
  /** Called after each failed attempt to connect: another node may have replaced this one. */
  onOutdated(): void;
}

/** One primary of a cluster, and the connection to it, which is opened in the background. */
export class ClusterNode {
  readonly address: NodeAddress;
  readonly #owner: NodeOwner;
  readonly #link: NodeLink;
  #connection: ServerConnection | undefined;
  #error: unknown;
  #opening: Promise<void> | undefined;
  #check: ConnectionCheck | undefined;
  #receiver: Promise<Server> | undefined;
  #isRetired = false;

  constructor(address: NodeAddress, owner: NodeOwner) {
    this.address = address;
    this.#owner = owner;
    this.#link = owner.link(address);
  }

  /** The connection; undefined before the first success. */
  get connection(): ToServer | undefined {
    return this.#connection;
  }

  get place(): Place & { readonly server: string } {
    const error = this.#connection === undefined ? this.#error : this.#connection.place.error;
    return { server: this.#link.text, error };
  }

  get isReady(): boolean {
    return this.#connection?.isReady === true;
  }

  /** Sets the check that the server must pass after each connection from now on. */
  guard(check: ConnectionCheck): void {
    this.#check = check;
    this.#connection?.guard(check);
  }

  /** Connects, and retries until that succeeds, the node is retired, or all calls are rejected. */
  async start(): Promise<void> {
    for (let failed = 0; !this.#isRetired && this.#owner.failure === undefined; failed += 1) {
      await this.open();
      if (this.#connection !== undefined) return;
      this.#owner.onOutdated();
      await pause(backoffMs(failed, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), undefined, { ref: false });
    }
  }

  /** Settles when one attempt to connect has ended, at once if one has ended before. */
  async attempt(): Promise<void> {
    if (this.#error === undefined) await this.open();
  }

  /** Connects, unless it is connected or connecting. Settles after one attempt, also if it failed. */
  open(): Promise<void> {
    if (this.#connection !== undefined) return Promise.resolve();
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<void> {
    try {
      const connection = await this.#link.connect();
      connection.client.on("close", () => this.#owner.onChange()).on("ready", () => this.#owner.onChange());
      if (this.#check !== undefined) {
        connection.guard(this.#check);
        // A call that meets the same error reports it.
        await connection
          .verify(true)
          .catch((error: unknown) => mayPass(error) && void this.#checkLater(connection));
      }
      this.#connection = connection;
      if (this.#isRetired) connection.retire();
    } catch (error) {
      this.#error = error;
    }
    this.#owner.onChange();
  }

  /** Repeats a check that failed, until it passes or the connection is lost: the node may just have begun. */
  async #checkLater(connection: ServerConnection): Promise<void> {
    for (let failed = 0; !this.#isRetired; failed += 1) {
      await pause(backoffMs(failed, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), undefined, { ref: false });
      if (!connection.isReady) return; // the next connection is checked
      try {
        return await connection.verify(true);
      } catch (error) {
        if (!mayPass(error)) return;
      }
    }
  }

  /** Returns this server for calls about slots that it receives. @throws OfflineError if it cannot be reached */
  receiver(): Promise<Server> {
    this.#receiver ??= this.#openReceiver();
    return this.#receiver;
  }

  async #openReceiver(): Promise<Server> {
    const forget = (): void => {
      this.#receiver = undefined;
    };
    try {
      await this.open();
      if (this.#connection === undefined) throw this.#error;
      const receiver = await openReceiver(this.#connection);
      receiver.client.once("end", forget);
      return receiver;
    } catch (error) {
      forget();
      throw new OfflineError({ ...this.place, error });
    }
  }

  /** Closes all connections to the node: it holds no slot any more. Calls that wait for it go elsewhere. */
  retire(): void {
    this.#isRetired = true;
    this.#connection?.retire();
    this.#link.close();
  }
}
