import { HistoryWriter } from "../history/writer.js";
import { shift } from "../machines/shift.js";
import { Holder } from "./holder.js";
import { openLibrary, runToEnd, start } from "./process.js";
import { Reactor } from "./reactor.js";
import { recordRenewals } from "./renewal-recorder.js";
import { Reports } from "./reports.js";
import { Sweeper } from "./sweeper.js";

// The program of a holder, a sweeper or a replica of a reaction.

start(async (settings) => {
  let finish = (): void => {};
  let hasEnded = false;
  const reports = new Reports(({ kind }) => {
    if (kind !== "finish") return;
    hasEnded = true;
    finish();
  });
  const history = new HistoryWriter(settings.file);
  if (settings.role === "holder") recordRenewals(settings.name, history);
  const library = await openLibrary(settings, shift);
  const client =
    settings.role === "holder"
      ? new Holder(settings, library, history, reports)
      : settings.role === "sweeper"
        ? new Sweeper(settings, library, history, reports)
        : new Reactor(settings, library, history, reports);
  finish = () => client.finish();
  if (hasEnded) finish();
  await runToEnd(client, library, history, reports);
});
