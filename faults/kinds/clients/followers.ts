import { setTimeout as pause } from "node:timers/promises";
import { connect } from "latchkey";
import { type Arena, type Details, type Fault, Unavailable, Violation, VoidInjection } from "../../fault.js";
import type { ClientProcess, Fleet } from "../../fleet/fleet.js";
import { happens, type Random } from "../../random.js";
import { keyPrefix } from "../../run/final-state.js";

/** More than a follower may have fetched ahead of its cursor. */
const TRIMMED = 450;
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

/** kill -9 of a follower; its next life goes on behind the cursor that it had kept. */
const followerKilled: Fault = {
  name: "F23 follower killed",
  topologies: ["standalone", "sentinel"],
  loses: false,
  async inject({ fleet, random, waitBetween }): Promise<Details> {
    const victim = running(fleet, random);
    const { begun } = victim.progress;
    if (!(await until(() => victim.progress.begun > begun))) throw new VoidInjection("it read nothing");
    await victim.kill9();
    const deadMs = await waitBetween(0, 300);
    await victim.restart();
    const after = victim.progress.begun;
    if (!(await until(() => victim.progress.begun > after))) {
      throw new Violation(`${victim.name} reads nothing since it was started again`);
    }
    return { victim: victim.name, deadMs };
  },
};

/** The log is trimmed past the cursor of a follower that sleeps, or is dead: it must be told, and may go on from there. */
const trimmedPast: Fault = {
  name: "F23 log trimmed past a follower",
  topologies: ["standalone", "sentinel"],
  loses: false,
  async inject(arena): Promise<Details> {
    const { fleet, random } = arena;
    const victim = running(fleet, random);
    const isDead = happens(random, 50);
    const { gaps } = victim.progress;
    if (isDead) await victim.kill9();
    else victim.stop();
    let trimmed = 0;
    try {
      trimmed = await trim(arena);
    } finally {
      if (isDead) await victim.restart();
      else victim.cont();
    }
    if (!(await until(() => victim.progress.gaps > gaps))) {
      throw new Violation(`${victim.name} was not told that the log was trimmed past its cursor`);
    }
    return { victim: victim.name, was: isDead ? "dead" : "asleep", trimmed };
  },
};

/** Waits until the log has grown by more than the follower can have on its way, and cuts all of that off. */
async function trim({ servers, namespace, machine, logTrimmer }: Arena): Promise<number> {
  const { admin } = await servers.primary();
  const key = `${keyPrefix(namespace, machine)}events`;
  const info = async (name: string): Promise<string> => {
    const flat = (await admin.xinfo("STREAM", key)) as unknown[];
    return String(flat[flat.indexOf(name) + 1]);
  };
  const before = Number(await info("entries-added"));
  const hasGrown = await until(async () => Number(await info("entries-added")) - before > TRIMMED);
  if (!hasGrown) throw new VoidInjection("the log does not grow");
  return logTrimmer.trim(admin, await info("last-generated-id"));
}

/** A subscriber whose messages pile up is cut off by the server, again and again; it comes back. */
const subscriberCutOff: Fault = {
  name: "F24 subscriber over its output buffer",
  topologies: ["standalone", "sentinel"],
  loses: false,
  async inject(arena): Promise<Details> {
    const { servers, withOverlap, waitBetween, namespace, machine } = arena;
    const { admin } = await servers.primary();
    const cutOff = async (): Promise<number> => {
      const [, count] =
        /client_output_buffer_limit_disconnections:(\d+)/.exec(await admin.info("stats")) ?? [];
      if (count === undefined) {
        throw new Unavailable("this server does not count such disconnections: install Valkey 8.0 or later");
      }
      return Number(count);
    };
    const setting = "client-output-buffer-limit";
    const [, usual = ""] = (await admin.config("GET", setting)) as string[];
    const before = await cutOff();
    const latchkey = await connect({ url: servers.url, namespace });
    let heard = 0;
    try {
      const entities = await latchkey.installed(machine);
      if (entities === null) throw new Error(`no machine ${machine} is installed`);
      const subscription = await entities.subscribe(() => {
        heard += 1;
      });
      const { overlap, result } = await withOverlap(200, async () => {
        await admin.config("SET", setting, "pubsub 1 0 0");
        for (let i = 0; i < 3; i += 1) {
          // No change, and too long for the server to pass on at once.
          await admin.publish(`${namespace}:${machine}:events`, "x".repeat(100_000));
          await waitBetween(20, 100);
        }
        return waitBetween(100, 300);
      });
      const times = (await cutOff()) - before;
      await admin.config("SET", setting, usual);
      if (times === 0) throw new VoidInjection("it was not cut off");
      const heardBefore = heard;
      if (!(await until(() => heard > heardBefore))) {
        throw new Violation("a subscriber that the server had cut off heard nothing any more");
      }
      await subscription.close();
      return { times, overlap, durationMs: result, heard };
    } finally {
      await admin.config("SET", setting, usual);
      await latchkey.close();
    }
  },
};

/** What becomes of those who follow and listen. */
export const followerFaults: readonly Fault[] = [followerKilled, trimmedPast, subscriberCutOff];
