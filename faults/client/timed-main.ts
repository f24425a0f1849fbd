import { HistoryWriter } from "../history/writer.js";
import { shift } from "../machines/shift.js";
import { Holder } from "./holder.js";
import { openLibrary, runToEnd, start } from "./process.js";
import { Reactor } from "./reactor.js";
import { noteRenewals } from "./renewal-recorder.js";
import { Reports } from "./reports.js";
import { Sweeper } from "./sweeper.js";

// One process that lives by time: holder, sweeper, or replica of a reaction.

start(async (order) => {
  let finish = (): void => {};
  let isOver = false;
  const reports = new Reports(({ kind }) => {
    if (kind !== "finish") return;
    isOver = true;
    finish();
  });
  const history = new HistoryWriter(order.file);
  if (order.role === "holder") noteRenewals(order.name, history);
  const library = await openLibrary(order, shift);
  const client =
    order.role === "holder"
      ? new Holder(order, library, history, reports)
      : order.role === "sweeper"
        ? new Sweeper(order, library, history, reports)
        : new Reactor(order, library, history, reports);
  finish = () => client.finish();
  if (isOver) finish();
  await runToEnd(client, library, history, reports);
});
