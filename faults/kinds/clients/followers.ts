import { setTimeout as pause } from "node:timers/promises";
import { connect } from "latchkey";
import {
  type Arena,
  type Details,
  EVERYWHERE,
  type Fault,
  Unavailable,
  Violation,
  VoidInjection,
} from "../../fault.js";
import type { ClientProcess, Fleet } from "../../fleet/fleet.js";
import { happens, type Random } from "../../random.js";

/** More entries than a follower may have fetched ahead of its cursor. */
const TRIMMED = 450;
/** A killed follower has fetched nothing. */
const TRIMMED_AT_LEAST = 20;
const WAIT_MS = 20_000;

async function until(isSo: () => boolean | Promise<boolean>): Promise<boolean> {
  const end = performance.now() + WAIT_MS;
  while (!(await isSo())) {
    if (performance.now() > end) return false;
    await pause(5);
  }
  return true;
}

function running(fleet: Fleet, random: Random): ClientProcess {
  const followers = fleet.of("follower").filter(({ isRunning }) => isRunning);
  if (followers.length === 0) throw new Error("all followers have ended by themselves");
  return random.of(followers);
}

/** Kills a follower. Its next life continues from the recorded cursor. */
const followerKilled: Fault = {
  name: "F23 follower killed",
  topologies: EVERYWHERE,
  loses: false,
  async inject({ fleet, random, waitBetween }): Promise<Details> {
    const victim = running(fleet, random);
    const { begun } = victim.progress;
    if (!(await until(() => victim.progress.begun > begun))) throw new VoidInjection("it read nothing");
    await victim.kill9();
    const downMs = await waitBetween(0, 300);
    await victim.restart();
    const after = victim.progress.begun;
    if (!(await until(() => victim.progress.begun > after))) {
      throw new Violation(`${victim.name} reads nothing after its restart`);
    }
    return { victim: victim.name, downMs };
  },
};

/** Trims the log beyond the cursor of a frozen or killed follower. The follower must get a GapError, and may continue. */
const trimmedAhead: Fault = {
  name: "F23 log trimmed ahead of a follower",
  topologies: EVERYWHERE,
  loses: false,
  async inject(arena): Promise<Details> {
    const { fleet, random, keys } = arena;
    const victim = running(fleet, random);
    // One of several partitions grows too slowly to pass a follower that has fetched ahead.
    const isKilled = keys.partitions > 1 || happens(random, 50);
    const { gaps } = victim.progress;
    if (isKilled) await victim.kill9();
    else victim.stop();
    let trimmed = 0;
    try {
      trimmed = await trim(arena, isKilled ? TRIMMED_AT_LEAST : TRIMMED);
    } finally {
      if (isKilled) await victim.restart();
      else victim.cont();
    }
    if (!(await until(() => victim.progress.gaps > gaps))) {
      throw new Violation(`${victim.name} got no GapError after the log was trimmed beyond its cursor`);
    }
    return { victim: victim.name, was: isKilled ? "killed" : "frozen", trimmed };
  },
};

/** Waits until the log has grown by more than a follower fetches ahead, and trims everything before. */
async function trim({ servers, keys, random, logTrimmer }: Arena, growth: number): Promise<number> {
  const partition = random.below(keys.partitions);
  const key = `${keys.prefix(partition)}events`;
  const { admin } = await servers.primary(key);
  const info = async (name: string): Promise<string> => {
    const flat = (await admin.xinfo("STREAM", key)) as unknown[];
    return String(flat[flat.indexOf(name) + 1]);
  };
  const before = Number(await info("entries-added"));
  const hasGrown = await until(async () => Number(await info("entries-added")) - before > growth);
  if (!hasGrown) throw new VoidInjection("the log does not grow");
  return logTrimmer.trim(admin, partition, await info("last-generated-id"));
}

/** Lets the server disconnect a subscriber repeatedly, because its messages pile up. The subscriber must come back. */
const subscriberDisconnected: Fault = {
  name: "F24 subscriber exceeds its output buffer",
  topologies: ["standalone", "sentinel"],
  loses: false,
  async inject(arena): Promise<Details> {
    const { servers, withOverlap, waitBetween, keys } = arena;
    const { namespace, machine } = keys;
    const { admin } = await arena.primary();
    const disconnections = async (): Promise<number> => {
      const [, count] =
        /client_output_buffer_limit_disconnections:(\d+)/.exec(await admin.info("stats")) ?? [];
      if (count === undefined) {
        throw new Unavailable("this server does not count such disconnections: install Valkey 8.0 or later");
      }
      return Number(count);
    };
    const setting = "client-output-buffer-limit";
    const [, usual = ""] = (await admin.config("GET", setting)) as string[];
    const before = await disconnections();
    const latchkey = await connect({ url: servers.url, namespace });
    let received = 0;
    try {
      const entities = await latchkey.installed(machine);
      if (entities === null) throw new Error(`no machine ${machine} is installed`);
      const subscription = await entities.subscribe(() => {
        received += 1;
      });
      const { overlap, result } = await withOverlap(200, async () => {
        await admin.config("SET", setting, "pubsub 1 0 0");
        for (let i = 0; i < 3; i += 1) {
          // It is not a change, and too long for the server to send at once.
          await admin.publish(`${namespace}:${machine}:events`, "x".repeat(100_000));
          await waitBetween(20, 100);
        }
        return waitBetween(100, 300);
      });
      const times = (await disconnections()) - before;
      await admin.config("SET", setting, usual);
      if (times === 0) throw new VoidInjection("it was not disconnected");
      const receivedBefore = received;
      if (!(await until(() => received > receivedBefore))) {
        throw new Violation("a subscriber that the server had disconnected received nothing more");
      }
      await subscription.close();
      return { times, overlap, durationMs: result, received };
    } finally {
      await admin.config("SET", setting, usual);
      await latchkey.close();
    }
  },
};

/** Lists the faults of followers and subscribers. */
export const followerFaults: readonly Fault[] = [followerKilled, trimmedAhead, subscriberDisconnected];
