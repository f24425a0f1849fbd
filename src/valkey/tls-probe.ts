import { connect as connectPlain, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { codeOf } from "../errors/code-of.js";
import { Deadline } from "./deadline.js";
import { clearTimeout, setTimeout } from "./real-time.js";
import { tlsCause, tlsMismatch } from "./tls-cause.js";
import { withServerName } from "./tls-settings.js";

/** The address of a server. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** A handshake takes a few round trips. After this time a server without TLS is suspected. */
const SUSPICION_MS = 500;
/** Longest search for a hidden cause. The connection has failed anyway, perhaps because latchkey was closed. */
const LONGEST_PROBE_MS = 1_000;

/**
 * Waits for a connection with TLS. A server without TLS takes the first message of TLS for a part of a command, and waits
 * for the rest. After a while it is sent a command without TLS.
 *
 * @param target returns the server that the client connects to
 * @throws the error of `connecting`; an error with the code TLS_MISSING if the server replies without TLS
 */
export async function unlessPlain<T>(
  connecting: Promise<T>,
  target: () => Target | undefined,
  { remainingMs }: Deadline,
): Promise<T> {
  const ended = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const alarm = new Promise<never>((_, reject) => {
    const ask = async (): Promise<void> => {
      const to = target();
      if (to !== undefined && (await isPlain(to, ended.signal))) reject(tlsMismatch("TLS_MISSING"));
    };
    timer = setTimeout(() => void ask(), Math.min(SUSPICION_MS, remainingMs / 2));
  });
  try {
    return await Promise.race([connecting, alarm]);
  } finally {
    clearTimeout(timer);
    ended.abort();
  }
}

/**
 * Finds the cause if a server closed a connection. The alert of TLS that names it is lost if the client sends more than one
 * command before it arrives.
 *
 * @param tls undefined if the client does not use TLS
 * @returns the error that names the cause; undefined if TLS is not the cause
 */
export async function hiddenTlsError(
  target: Target | undefined,
  tls: ConnectionOptions | undefined,
  deadline: Deadline,
): Promise<Error | undefined> {
  if (target === undefined || deadline.isOver) return undefined;
  const ended = new AbortController();
  const probe =
    tls === undefined ? requiredTls(target, ended.signal) : rejectedTls(target, tls, ended.signal);
  try {
    const limit = Deadline.in(Math.min(deadline.remainingMs, LONGEST_PROBE_MS));
    return await limit.race(probe).catch(() => undefined);
  } finally {
    ended.abort();
  }
}

/** Connects with and without TLS, because a server replies to one of them only. */
async function requiredTls(target: Target, signal: AbortSignal): Promise<Error | undefined> {
  const socket = connectTls({ ...target, rejectUnauthorized: false });
  signal.addEventListener("abort", () => socket.destroy());
  const handshake = new Promise<boolean>((resolve) => {
    socket
      .once("secureConnect", () => resolve(true))
      .on("error", (error) => resolve(codeOf(error).includes("_ALERT_")))
      .once("close", () => resolve(false));
  });
  const plain = isPlain(target, signal).then((isReply) => (isReply ? false : handshake));
  return (await Promise.race([handshake, plain])) ? tlsMismatch("TLS_REQUIRED") : undefined;
}

async function rejectedTls(
  target: Target,
  tls: ConnectionOptions,
  signal: AbortSignal,
): Promise<Error | undefined> {
  const socket = connectTls({ ...target, ...withServerName(tls, target.host).tls });
  signal.addEventListener("abort", () => socket.destroy());
  const reply = await replyTo(socket, "secureConnect");
  return tlsCause(reply) === undefined ? undefined : (reply as Error);
}

/** Returns true if the server replies without TLS. */
async function isPlain(target: Target, signal: AbortSignal): Promise<boolean> {
  const reply = await replyTo(connectPlain({ ...target, signal }), "connect");
  return Buffer.isBuffer(reply) && /^[+-]/.test(reply.toString("latin1"));
}

/** Sends PING when connected. Returns the reply or the error; undefined if the server closes the connection. */
function replyTo(socket: Socket, connected: "connect" | "secureConnect"): Promise<unknown> {
  return new Promise((resolve) => {
    socket
      .once(connected, () => socket.write("PING\r\n"))
      .once("data", resolve)
      .on("error", resolve)
      .once("close", () => resolve(undefined));
  });
}
