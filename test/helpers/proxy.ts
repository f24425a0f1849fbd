import { once } from "node:events";
import { createConnection, createServer, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** Decides what happens to sent bytes: forwarded, discarded, or kept. If they are not forwarded, the connection is closed. */
type Fate = "pass" | "cut" | "delay";

/** A TCP proxy in front of a server, which can lose requests and replies. */
export interface TcpProxy {
  readonly port: number;
  readonly url: string;
  /** Loses the next request that holds the text, before the server gets it. */
  dropRequest(text: string): void;
  /** Loses the reply to the next request that holds the text: the server has executed it by then. */
  dropReply(text: string): void;
  /** Passes the next request that holds the text on, and keeps the reply back for good. */
  holdReply(text: string): void;
  /**
   * Keeps the next request that holds the text, and cuts the connection that it came from.
   *
   * @returns what lets the server execute it after all; settles with the answer, which nobody gets
   */
  delayRequest(text: string): () => Promise<void>;
  /** Cuts all connections. */
  cut(): void;
  /** Turns new connections away from now on, or takes them again. */
  shut(isShut: boolean): void;
  /** Takes new connections from now on as the kernel of a frozen server does, and answers nothing on them; or serves them again. */
  freeze(isFrozen: boolean): void;
  /** Number of accepted connections. */
  readonly frozen: number;
  /** Number of refused connections. */
  readonly refused: number;
  /** Number of connections of clients that are open, accepted ones of a frozen proxy included. */
  readonly open: number;
  /** Settles when the request or reply of the newest plan was lost or held. */
  readonly lost: Promise<void>;
}

interface Plan {
  readonly text: string;
  readonly request: Fate;
  readonly reply: "pass" | "cut" | "hold";
}

/**
 * Starts a proxy for this test.
 *
 * @param isSlowToClose leaves connections open that the client has ended, until the client destroys them
 */
export async function startProxy(
  target: { host: string; port: number },
  { isSlowToClose = false } = {},
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let open = 0;
  let plan: Plan | undefined;
  let done = (): void => {};
  let lost = Promise.resolve();
  const next = (newest: Plan): void => {
    plan = newest;
    lost = new Promise((resolve) => {
      done = resolve;
    });
  };
  let isClosed = false;
  let isFrozen = false;
  let frozen = 0;
  let late = async (): Promise<void> => {};
  let refused = 0;
  const server = createServer({ allowHalfOpen: isSlowToClose }, (near) => {
    if (isClosed) {
      refused += 1;
      return void near.destroy();
    }
    open += 1;
    near.on("close", () => {
      open -= 1;
    });
    if (isFrozen) {
      frozen += 1;
      sockets.add(near);
      // It reads and answers nothing, but notices the end of a connection.
      return void near
        .resume()
        .on("error", () => {})
        .on("close", () => sockets.delete(near));
    }
    const far = createConnection(target.port, target.host);
    let reply: Plan["reply"] = "pass";
    let isLate = false;
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {}); // a cut connection
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        if (!isLate) far.destroy();
      });
    }
    near.on("data", (bytes) => {
      if (plan !== undefined && bytes.includes(plan.text)) {
        ({ reply } = plan);
        const { request } = plan;
        plan = undefined;
        if (request === "cut") {
          near.destroy();
          return done();
        }
        if (request === "delay") {
          isLate = true;
          late = async () => {
            far.write(bytes);
            await once(far, "data");
            far.destroy();
          };
          near.destroy();
          return done();
        }
      }
      far.write(bytes);
    });
    far.on("data", (bytes) => {
      if (isLate) return;
      if (reply === "pass") near.write(bytes);
      else {
        if (reply === "cut") near.destroy();
        done();
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The proxy has no port");
  return {
    port: address.port,
    url: `valkey://127.0.0.1:${address.port}`,
    get lost() {
      return lost;
    },
    dropRequest: (text) => next({ text, request: "cut", reply: "pass" }),
    dropReply: (text) => next({ text, request: "pass", reply: "cut" }),
    holdReply: (text) => next({ text, request: "pass", reply: "hold" }),
    delayRequest: (text) => {
      next({ text, request: "delay", reply: "pass" });
      return () => late();
    },
    freeze: (isNow) => {
      isFrozen = isNow;
    },
    get frozen() {
      return frozen;
    },
    get refused() {
      return refused;
    },
    get open() {
      return open;
    },
    shut: (isShut) => {
      isClosed = isShut;
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
