import { HistoryWriter } from "../history/writer.js";
import { job } from "../machines/job.js";
import { Follower } from "./follower.js";
import type { Instruction } from "./messages.js";
import { Pace } from "./pace.js";
import { openLibrary, runToEnd, start } from "./process.js";
import { Reader } from "./reader.js";
import { Reports } from "./reports.js";
import { Worker } from "./worker.js";

// The program of a worker, a reader or a follower.

start(async (settings) => {
  const { role, rate, concurrency } = settings;
  const pace = new Pace(rate, concurrency);
  let onInstruction = (_order: Instruction): void => {};
  const queued: Instruction[] = [];
  let isReady = false;
  const reports = new Reports((instruction) => {
    if (isReady) onInstruction(instruction);
    else queued.push(instruction);
  });
  const library = await openLibrary(settings, job);
  const history = new HistoryWriter(settings.file);
  const client =
    role === "worker"
      ? new Worker(settings, library, history, reports, pace)
      : role === "reader"
        ? new Reader(settings, library, history, reports, pace)
        : new Follower(settings, library, history, reports);
  onInstruction = (instruction) => {
    if (instruction.kind === "rate") pace.rate = instruction.rate;
    if (instruction.kind === "generation" && !(client instanceof Follower))
      client.generation = instruction.generation;
    if (instruction.kind !== "finish") return;
    pace.end();
    if (client instanceof Follower && instruction.upTo !== undefined) client.finish(instruction.upTo);
  };
  isReady = true;
  for (const instruction of queued) onInstruction(instruction);
  await runToEnd(client, library, history, reports);
});
