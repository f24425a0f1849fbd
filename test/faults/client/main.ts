import { setTimeout as pause } from "node:timers/promises";
import { ConnectError, LatchkeyError } from "latchkey";
import { HistoryWriter } from "../history.js";
import { Follower } from "./follower.js";
import { Library } from "./library.js";
import type { ClientOrder, Order } from "./messages.js";
import { Pace } from "./pace.js";
import { Reader } from "./reader.js";
import { Reports } from "./reports.js";
import { Worker } from "./worker.js";

// One client process: worker, reader or follower.

const CONNECT_AGAIN_MS = 50;

/** Connects, however often that fails: it may begin in the midst of a fault. */
async function open({ url, namespace, name, timeoutMs }: ClientOrder): Promise<Library> {
  for (;;) {
    try {
      return await Library.open(url, namespace, name, timeoutMs);
    } catch (error) {
      const passes = error instanceof ConnectError || error instanceof LatchkeyError;
      if (!passes) throw error;
      await pause(CONNECT_AGAIN_MS);
    }
  }
}

async function run(order: ClientOrder): Promise<void> {
  const { role, rate, concurrency } = order;
  const pace = new Pace(rate, concurrency);
  let hear = (_order: Order): void => {};
  const missed: Order[] = [];
  let isReady = false;
  const reports = new Reports((heard) => {
    if (isReady) hear(heard);
    else missed.push(heard);
  });
  const library = await open(order);
  const history = new HistoryWriter(order.file);
  const client =
    role === "worker"
      ? new Worker(order, library, history, reports, pace)
      : role === "reader"
        ? new Reader(order, library, history, reports, pace)
        : new Follower(order, library, history, reports);
  hear = (heard) => {
    if (heard.kind === "rate") pace.rate = heard.rate;
    if (heard.kind === "generation" && !(client instanceof Follower)) client.generation = heard.generation;
    if (heard.kind === "allowance" && client instanceof Worker) client.allowanceMs = heard.ms;
    if (heard.kind !== "finish") return;
    pace.end();
    if (client instanceof Follower && heard.upTo !== undefined) client.finish(heard.upTo);
  };
  isReady = true;
  for (const heard of missed) hear(heard);
  reports.ready();
  await client.run();
  history.close();
  await library.close();
  await reports.end();
}

run(JSON.parse(process.argv[2] ?? "{}") as ClientOrder).catch((error: unknown) => {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.send?.({ kind: "problem", text: `${process.pid} ended: ${text}` }, () => process.exit(1));
});
