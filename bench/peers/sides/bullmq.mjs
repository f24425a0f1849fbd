// BullMQ: an agent is a job. A caller takes the next waiting job, whichever it is, and only its owner changes it.
import { Job, Queue, QueueEvents, Worker } from "bullmq";
import Redis from "ioredis";
import { LEASE_MS } from "../lease.mjs";

export const name = "BullMQ";
/** Only the owner of a job may change it, so nobody else can patch or kill it. */
export const onlyOwner = true;
/** A dead owner loses its jobs after some time. */
export const recovers = true;

const STATES = { waiting: "spawning", active: "running", failed: "killed" };

export async function open({ url, hasLeases }) {
  const connections = [];
  const connection = () => {
    const client = new Redis(url, { maxRetriesPerRequest: null }).on("error", () => {});
    connections.push(client);
    return client;
  };
  const settings = { prefix: hasLeases ? "leased" : "peers" };
  const queue = new Queue("agents", { ...settings, connection: connection() });
  const leases = hasLeases ? { lockDuration: LEASE_MS, stalledInterval: LEASE_MS / 2 } : {};
  const worker = new Worker("agents", null, {
    ...settings,
    ...leases,
    connection: connection(),
    autorun: false,
  });
  for (const source of [queue, worker]) source.on("error", () => {});
  await worker.waitUntilReady();
  if (hasLeases) await worker.startStalledCheckTimer();
  const token = `${process.pid}`;
  const owned = new Map();

  return {
    prepare: () => queue.obliterate({ force: true }),
    create: (id) => queue.add("agent", { taskId: "t-1234567" }, { jobId: id }),
    async run() {
      const job = await worker.getNextJob(token, { block: false });
      if (job === undefined) return null;
      owned.set(job.id, job);
      return job.id;
    },
    async patch(id, field, value) {
      const job = owned.get(id);
      const { [field]: _, ...others } = job.progress || {};
      await job.updateProgress({ ...others, [field]: value }); // the new one comes last
      return true;
    },
    async complete(id) {
      try {
        await owned.get(id).moveToCompleted("done", token, false);
      } catch (error) {
        if (!/lock|active state/i.test(error.message)) throw error;
        return false; // it stalled and belongs to another, or an earlier attempt has completed it
      }
      owned.delete(id);
      return true;
    },
    async read(id) {
      const job = await Job.fromId(queue, id);
      const state = await job.getState();
      return { state: STATES[state] ?? state, fields: job.progress || {}, restarts: job.stalledCounter };
    },
    async listen(listener) {
      const events = new QueueEvents("agents", { ...settings, connection: connection(), lastEventId: "0-0" });
      events.on("error", () => {});
      events.on("active", ({ jobId }) => listener(jobId, "running"));
      events.on("completed", ({ jobId }) => listener(jobId, "completed"));
      events.on("failed", ({ jobId }) => listener(jobId, "killed"));
      events.on("progress", ({ jobId, data }) => listener(jobId, Object.entries(data).at(-1).join("=")));
      await events.waitUntilReady();
      return events;
    },
    async close() {
      await Promise.all([worker.close(true), queue.close()]);
      for (const client of connections) client.disconnect(); // BullMQ closes only its own
    },
  };
}
