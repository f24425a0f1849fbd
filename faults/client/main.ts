import { HistoryWriter } from "../history/writer.js";
import { job } from "../machines/job.js";
import { Follower } from "./follower.js";
import type { Order } from "./messages.js";
import { Pace } from "./pace.js";
import { openLibrary, runToEnd, start } from "./process.js";
import { Reader } from "./reader.js";
import { Reports } from "./reports.js";
import { Worker } from "./worker.js";

// One client process: worker, reader or follower.

start(async (order) => {
  const { role, rate, concurrency } = order;
  const pace = new Pace(rate, concurrency);
  let hear = (_order: Order): void => {};
  const missed: Order[] = [];
  let isReady = false;
  const reports = new Reports((heard) => {
    if (isReady) hear(heard);
    else missed.push(heard);
  });
  const library = await openLibrary(order, job);
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
  await runToEnd(client, library, history, reports);
});
