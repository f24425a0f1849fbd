/** Configures what a proxy does to connections. Probabilities are seeded, from 0 to 1. */
export interface Treatment {
  /** Discards the reply to an executed request, then closes the connection. */
  readonly dropReply?: number;
  /** Discards a request, then closes the connection. */
  readonly dropRequest?: number;
  /** Forwards a part of a request, then closes the connection. */
  readonly resetMidRequest?: number;
  /** Forwards a part of a reply, then closes the connection. */
  readonly resetMidReply?: number;
  /** Turns the connection into a black hole: it stays open, and nothing passes until the treatment ends. */
  readonly blackhole?: number;
  /** Sends the bytes of a request with a script twice. One reply comes back. */
  readonly duplicate?: number;
  /** Delays each piece by this many ms, in both directions. The order stays. */
  readonly delayMs?: number;
  /** Forwards this many bytes per millisecond. */
  readonly dripBytes?: number;
  /** Nothing passes. New connections are accepted and stay silent. All are closed when the treatment ends. */
  readonly partition?: boolean;
}

/** Counts what a proxy did to connections. */
export type Hits = Record<
  "dropReply" | "dropRequest" | "resetMidRequest" | "resetMidReply" | "blackhole" | "duplicate",
  number
>;

/** Selects clients by the name that they set (CLIENT SETNAME); "" if they have not set one. */
export type ClientFilter = (name: string) => boolean;

/** A TCP proxy in front of one node. */
export interface NodeProxy {
  readonly port: number;
  /** Port of the node. */
  readonly target: number;
  readonly hits: Readonly<Hits>;
  /** Treats current and new connections of some clients, until the next call or `heal`. */
  treat(treatment: Treatment, seed: number, which?: ClientFilter): void;
  /** Forwards everything again. Closes connections that lost bytes. */
  heal(): void;
  /** Closes the connections of some clients. */
  cut(which?: ClientFilter): void;
  close(): Promise<void>;
}
