/** What a proxy does to the connections that it is told to treat. All chances are seeded, from 0 to 1. */
export interface Treatment {
  /** Swallows the reply to a request that was executed, then cuts the connection. */
  readonly dropReply?: number;
  /** Swallows a request, then cuts. */
  readonly dropRequest?: number;
  /** Passes on a part of a request, then cuts. */
  readonly resetMidRequest?: number;
  /** Passes on a part of a reply, then cuts. */
  readonly resetMidReply?: number;
  /** Turns the connection into a black hole: it stays open and nothing passes any more, until the treatment ends. */
  readonly blackhole?: number;
  /** Sends the bytes of a request with a script twice; one reply comes back. */
  readonly duplicate?: number;
  /** Keeps each piece back for this many ms, in either direction; the order stays. */
  readonly delayMs?: number;
  /** Passes on so many bytes at a time only, one piece a millisecond. */
  readonly dripBytes?: number;
  /** Nothing passes, and new connections are taken and then silent; all is cut when it ends. */
  readonly partition?: boolean;
}

/** How often a proxy did what to the connections. */
export type Hits = Record<
  "dropReply" | "dropRequest" | "resetMidRequest" | "resetMidReply" | "blackhole" | "duplicate",
  number
>;

/** Who is at the near end of a connection, by what it calls itself (CLIENT SETNAME); "" until it did, or where it never does. */
export type ClientFilter = (name: string) => boolean;

/** A TCP proxy in front of one node. */
export interface NodeProxy {
  readonly port: number;
  /** The port of the node itself. */
  readonly target: number;
  readonly hits: Readonly<Hits>;
  /** Treats the connections of some clients, those to come as well, until the next call or `heal`. */
  treat(treatment: Treatment, seed: number, which?: ClientFilter): void;
  /** Passes everything again; cuts connections that lost bytes. */
  heal(): void;
  /** Cuts the connections of some clients. */
  cut(which?: ClientFilter): void;
  close(): Promise<void>;
}
