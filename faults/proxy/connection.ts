import { connect, type Socket } from "node:net";
import { happens, type Random } from "../random.js";
import { type Copies, type OnCopy, type OnReply, wordsOf } from "./copies.js";
import { Framer } from "./framer.js";
import { Pipe } from "./pipe.js";
import type { Hits, Treatment } from "./proxy.js";

/** Decides what happens to the reply to a forwarded request. Replies to copies are given to a function. */
type Fate = "pass" | "drop" | "truncate" | OnReply;

/** Holds a treatment that is in effect. */
export interface ActiveTreatment {
  readonly treatment: Treatment;
  readonly random: Random;
  readonly hits: Hits;
}

/** Requests of a handshake. They always pass, because a treatment is meant for calls. */
const HANDSHAKE = 3;

/** Share of the copies on other connections that are delivered at once. */
const AT_ONCE_PERCENT = 40;

/** Forwards one connection through a proxy. */
export class ProxyConnection {
  readonly near: Socket;
  readonly #far: Socket;
  readonly #toFar: Pipe;
  readonly #toNear: Pipe;
  readonly #copies: Copies;
  readonly #requests = new Framer();
  readonly #replies = new Framer();
  /** Fates of the requests without a reply, oldest first. */
  readonly #fates: Fate[] = [];
  #seen = 0;
  #isBlackhole = false;
  /** True for a replication connection, which has no values to separate. */
  #isRaw = false;
  /** Name that the client has set; "" until then. */
  name = "";
  active: ActiveTreatment | undefined;
  /** Called when the client has set its name. */
  onName: () => void = () => {};

  constructor(near: Socket, target: number, copies: Copies, onClose: () => void) {
    this.near = near;
    this.#copies = copies;
    this.#far = connect(target, "127.0.0.1");
    this.#toFar = new Pipe(this.#far);
    this.#toNear = new Pipe(near);
    for (const socket of [near, this.#far]) {
      socket.setNoDelay(true);
      socket.on("error", () => {}); // "close" follows
      socket.on("close", () => {
        // A black hole stays open to the client, whatever the server does.
        if (this.#isBlackhole && socket === this.#far) return;
        this.cut();
        onClose();
      });
    }
    near.on("data", (piece) => this.#fromNear(piece));
    this.#far.on("data", (piece) => this.#fromFar(piece));
  }

  get isBlackhole(): boolean {
    return this.#isBlackhole;
  }

  /** Discards everything from now on, in both directions, including what is queued. */
  discardAll(): void {
    this.#isBlackhole = true;
    this.#toFar.drop();
    this.#toNear.drop();
  }

  /** Sets the speed of both directions. */
  pace(delayMs: number, dripBytes: number): void {
    for (const pipe of [this.#toFar, this.#toNear]) {
      pipe.delayMs = delayMs;
      pipe.dripBytes = dripBytes;
      if (delayMs === 0 && dripBytes === 0) pipe.flush();
    }
  }

  cut(): void {
    this.#toFar.drop();
    this.#toNear.drop();
    this.near.destroy();
    this.#far.destroy();
  }

  #fromNear(piece: Buffer): void {
    if (this.#isBlackhole) return;
    if (this.#isRaw) {
      this.#toFar.write(piece);
      return;
    }
    const frames = this.#requests.push(piece);
    // Adjacent frames of one piece are forwarded together.
    let from = 0;
    let through = 0;
    const pass = (): void => {
      if (through > from) this.#toFar.write(Buffer.concat(frames.slice(from, through)));
    };
    for (const [i, frame] of frames.entries()) {
      this.#seen += 1;
      this.#learn(frame);
      const action =
        this.active !== undefined && this.#seen > HANDSHAKE ? this.#choose(this.active, frame) : "pass";
      if (action === "pass") {
        this.#fates.push("pass");
        through = i + 1;
        continue;
      }
      pass();
      if (this.active === undefined || !this.#act(action, frame, this.active)) return;
      from = i + 1;
      through = from;
    }
    pass();
    if (this.#isRaw) this.#toFar.write(this.#requests.takeRest());
  }

  #choose({ treatment, random, hits }: ActiveTreatment, frame: Buffer): keyof Hits | "pass" {
    for (const action of ACTIONS) {
      const chance = treatment[action];
      if (COPYING.has(action) && !isScript(frame)) continue;
      if (chance !== undefined && random.below(1_000_000) < chance * 1_000_000) {
        hits[action] += 1;
        return action;
      }
    }
    return "pass";
  }

  /** Returns false if nothing after this request passes. */
  #act(action: keyof Hits, frame: Buffer, { treatment, random }: ActiveTreatment): boolean {
    const { onCopy, longestMs } = treatment.resending ?? { onCopy: () => () => {}, longestMs: 0 };
    switch (action) {
      case "dropReply":
      case "resetMidReply":
        this.#fates.push(action === "dropReply" ? "drop" : "truncate");
        this.#toFar.write(frame);
        return true;
      case "duplicate":
        this.#fates.push("pass", onCopy(wordsOf(frame)));
        this.#toFar.write(Buffer.concat([frame, frame]));
        return true;
      case "resend":
        this.#fates.push("pass");
        this.#toFar.write(frame);
        this.#resend(Buffer.from(frame), random.below(longestMs + 1), onCopy);
        return true;
      case "resendElsewhere": {
        const delayMs = happens(random, AT_ONCE_PERCENT) ? 0 : random.below(longestMs + 1);
        this.#copies.send(frame, delayMs, onCopy);
        this.#fates.push("pass");
        this.#toFar.write(frame);
        return true;
      }
      case "strand":
        this.#copies.send(frame, random.below(longestMs + 1), onCopy);
        this.cut();
        return false;
      case "dropRequest":
        this.cut();
        return false;
      case "resetMidRequest":
        this.#far.write(frame.subarray(0, frame.length >> 1), () => this.cut());
        this.discardAll();
        return false;
      case "blackhole":
        this.discardAll();
        return false;
    }
  }

  /** Delivers a copy on this connection if it is still open. */
  #resend(frame: Buffer, delayMs: number, onCopy: OnCopy): void {
    setTimeout(() => {
      if (this.#isBlackhole || this.#far.destroyed) return;
      this.#fates.push(onCopy(wordsOf(frame)));
      this.#toFar.write(frame);
    }, delayMs).unref();
  }

  #fromFar(piece: Buffer): void {
    if (this.#isBlackhole) return;
    if (this.#isRaw) {
      this.#toNear.write(piece);
      return;
    }
    const frames = this.#replies.push(piece);
    const passing: Buffer[] = [];
    for (const frame of frames) {
      const fate = this.#fates.shift() ?? "pass";
      if (fate === "pass") passing.push(frame);
      if (typeof fate === "function") fate(frame);
      if (fate !== "drop" && fate !== "truncate") continue;
      const part = fate === "truncate" ? [frame.subarray(0, frame.length >> 1)] : [];
      this.near.write(Buffer.concat([...passing, ...part]), () => this.cut());
      this.discardAll();
      return;
    }
    const [only] = passing;
    if (only !== undefined) this.#toNear.write(passing.length === 1 ? only : Buffer.concat(passing));
  }

  #learn(frame: Buffer): void {
    if (this.#seen > 8) return;
    const text = frame.toString("latin1", 0, 200);
    const [, name] = /\r\nsetname\r\n\$\d+\r\n([^\r]*)\r\n/i.exec(text) ?? [];
    if (name !== undefined) {
      this.name = name;
      this.onName();
    }
    if (/\r\nP?SYNC\r\n/i.test(text)) this.#isRaw = true;
  }
}

/** Only scripts are copied. Other requests, such as MULTI, mean something else when they are sent twice. */
function isScript(frame: Buffer): boolean {
  return /^\*\d+\r\n\$7\r\nevalsha/i.test(frame.toString("latin1", 0, 24));
}

const ACTIONS = [
  "dropReply",
  "dropRequest",
  "resetMidRequest",
  "resetMidReply",
  "blackhole",
  "duplicate",
  "resend",
  "resendElsewhere",
  "strand",
] as const satisfies readonly (keyof Hits)[];

const COPYING: ReadonlySet<keyof Hits> = new Set(["duplicate", "resend", "resendElsewhere", "strand"]);
