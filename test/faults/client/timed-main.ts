import { setTimeout as pause } from "node:timers/promises";
import { ConnectError, LatchkeyError } from "latchkey";
import { HistoryWriter } from "../history.js";
import { shift } from "../shift.js";
import { Holder } from "./holder.js";
import { Library } from "./library.js";
import type { ClientOrder } from "./messages.js";
import { Reactor } from "./reactor.js";
import { noteRenewals } from "./renewals.js";
import { Reports } from "./reports.js";
import { Sweeper } from "./sweeper.js";

// One process that lives by time: holder, sweeper, or replica of a reaction.

const CONNECT_AGAIN_MS = 50;

/** Connects, however often that fails: it may begin in the midst of a fault. */
async function open({ url, namespace, name, timeoutMs }: ClientOrder): Promise<Library> {
  for (;;) {
    try {
      return await Library.open(url, namespace, name, timeoutMs, shift);
    } catch (error) {
      const passes = error instanceof ConnectError || error instanceof LatchkeyError;
      if (!passes) throw error;
      await pause(CONNECT_AGAIN_MS);
    }
  }
}

async function run(order: ClientOrder): Promise<void> {
  let finish = (): void => {};
  let isOver = false;
  const reports = new Reports(({ kind }) => {
    if (kind !== "finish") return;
    isOver = true;
    finish();
  });
  const history = new HistoryWriter(order.file);
  if (order.role === "holder") noteRenewals(order.name, history);
  const library = await open(order);
  const client =
    order.role === "holder"
      ? new Holder(order, library, history, reports)
      : order.role === "sweeper"
        ? new Sweeper(order, library, history, reports)
        : new Reactor(order, library, history, reports);
  finish = () => client.finish();
  if (isOver) finish();
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
