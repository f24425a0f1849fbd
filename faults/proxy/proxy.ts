import type { OnCopy } from "./copies.js";

/** Configures copies of requests, as client libraries, proxies and delayed sockets deliver them. */
export interface Resending {
  readonly onCopy: OnCopy;
  /** Longest delay of a copy, in ms. */
  readonly longestMs: number;
}

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
  /** Delivers a copy of a request with a script on the same connection after a delay. */
  readonly resend?: number;
  /** Delivers a copy on another connection, at once or after a delay, perhaps after its connection has closed. */
  readonly resendElsewhere?: number;
  /** Closes the connection, and delivers the request on another one after a delay. */
  readonly strand?: number;
  /** Required for copies. */
  readonly resending?: Resending;
  /** Delays each piece by this many ms, in both directions. The order stays. */
  readonly delayMs?: number;
  /** Forwards this many bytes per millisecond. */
  readonly dripBytes?: number;
  /** Nothing passes. New connections are accepted and stay silent. All are closed when the treatment ends. */
  readonly partition?: boolean;
}

/** Counts what a proxy did to connections. */
export type Hits = Record<
  | "dropReply"
  | "dropRequest"
  | "resetMidRequest"
  | "resetMidReply"
  | "blackhole"
  | "duplicate"
  | "resend"
  | "resendElsewhere"
  | "strand",
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
