import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { type Arena, type Details, EVERYWHERE, type Fault, Unavailable, VoidInjection } from "../../fault.js";
import { chooseChange, otherVersion, type RawReply, rawCall, type Send } from "./raw-call.js";

const ROOT = dirname(createRequire(import.meta.url).resolve("latchkey/package.json"));
const CALLER = join(ROOT, "faults/kinds/scripts/caller.py");
const CALLS = 120;

/** Makes random changes to the clients' entities in a partition. Returns how many were applied. */
async function makeChanges(arena: Arena, name: string, partition: number, send: Send): Promise<number> {
  let done = 0;
  for (let i = 0; i < CALLS; i += 1) {
    const { reply } = await rawCall(arena, name, chooseChange(arena, partition), send);
    if ("error" in reply) throw new VoidInjection(`the server rejected ${name}: ${reply.error}`);
    if (reply[0] === "OK") done += 1;
  }
  return done;
}

/** Runs a caller in Python and one with another version of the scripts on the clients' entities. */
const versions: Fault = {
  name: "F22 other versions and languages at once",
  topologies: EVERYWHERE,
  loses: false,
  async inject(arena): Promise<Details> {
    const partition = arena.random.below(arena.keys.partitions);
    const node = await arena.servers.primary(arena.keys.prefix(partition));
    const python = await startPython(`valkey://127.0.0.1:${node.port}`);
    try {
      const { result, overlap } = await arena.withOverlap(50, () =>
        Promise.all([
          makeChanges(arena, "caller-python", partition, python.send),
          makeChanges(arena, "caller-other", partition, otherVersion(node.admin)),
        ]),
      );
      const [byPython, byOther] = result;
      return { overlap, byPython, byOther };
    } finally {
      await python.end();
    }
  },
};

async function startPython(url: string): Promise<{ send: Send; end: () => Promise<void> }> {
  const child = spawn("python3", [CALLER, ROOT, url], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit").catch(() => {});
  await once(child, "spawn").catch(() => {
    throw new Unavailable("python3 is not installed");
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    send: async (script, keys, args) => {
      child.stdin.write(`${JSON.stringify([script, keys, args])}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error("the caller in Python has ended");
      return JSON.parse(value) as RawReply;
    },
    end: async () => {
      child.stdin.end();
      await ended;
    },
  };
}

/** Flushes and replaces the function library while it is called. */
const functions: Fault = {
  name: "F15 function library flushed and replaced",
  topologies: EVERYWHERE,
  loses: false,
  async inject(arena): Promise<Details> {
    const { random, keys } = arena;
    const partition = random.below(keys.partitions);
    const { admin } = await arena.servers.primary(keys.prefix(partition));
    const library = await readFile(join(ROOT, "dist/lua/latchkey_v2.lua"), "utf8");
    const load = (): Promise<unknown> => admin.call("FUNCTION", "LOAD", "REPLACE", library);
    let missing = 0;
    const send: Send = async (script, keys, args) => {
      try {
        const words = [`latchkey_v2_${script}`, String(keys.length), ...keys, ...args];
        return (await admin.call("FCALL", ...words)) as RawReply;
      } catch (error) {
        if (!(error instanceof Error && error.message === "ERR Function not found")) throw error;
        missing += 1;
        await load();
        return { error: error.message };
      }
    };
    await load();
    try {
      let flushes = 0;
      const { overlap } = await arena.withOverlap(50, async () => {
        for (let i = 0; i < CALLS; i += 1) {
          const step = chooseChange(arena, partition);
          const flush = random.below(4) === 0;
          if (flush) flushes += 1;
          await Promise.all([
            flush ? admin.call("FUNCTION", "FLUSH", "SYNC") : load(),
            rawCall(arena, "caller-functions", step, send),
          ]);
        }
      });
      if (missing === 0) throw new VoidInjection("no call ran into a server without the library");
      return { flushes, missing, overlap };
    } finally {
      await admin.call("FUNCTION", "FLUSH", "SYNC");
    }
  },
};

/** Lists the faults with other callers of the scripts. */
export const otherCallers: readonly Fault[] = [versions, functions];
