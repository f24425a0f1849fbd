import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findServer } from "../../src/server/find.js";
import { freshFolder, shellScript } from "../helpers/folder.js";

const VALKEY = 'echo "Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc bits=64 build=39f7c371e0a96e3d"';
const OLD_VALKEY = 'echo "Valkey server v=7.0.9 sha=00000000:0 malloc=libc bits=64 build=1"';
const REDIS = 'echo "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1"';
const OLD_REDIS = 'echo "Redis server v=6.2.14 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1"';

/** Searches with exactly these programs in the one folder of PATH. */
async function search(programs: Record<string, string>, env: NodeJS.ProcessEnv = {}) {
  const folder = await freshFolder();
  for (const [name, body] of Object.entries(programs)) await shellScript(folder, name, body);
  return { folder, found: await findServer({ env: { PATH: folder, ...env }, usualPlaces: [] }) };
}

describe("findServer", () => {
  test("finds valkey-server on PATH and reads its version", async () => {
    const { folder, found } = await search({ "valkey-server": VALKEY, "redis-server": REDIS });
    expect(found.program).toEqual({
      bin: join(folder, "valkey-server"),
      product: "valkey",
      version: "8.0.1",
    });
  });

  test("tries the usual places after PATH", async () => {
    const folder = await freshFolder();
    const bin = await shellScript(folder, "valkey-server", VALKEY);
    const { program } = await findServer({ env: { PATH: "" }, usualPlaces: [folder] });
    expect(program?.bin).toBe(bin);
  });

  test("skips a valkey-server that is too old and reports it", async () => {
    const { folder, found } = await search({ "valkey-server": OLD_VALKEY });
    expect(found.program).toBeUndefined();
    expect(found.looked).toContainEqual({
      where: "valkey-server on PATH",
      result: `${join(folder, "valkey-server")}: valkey 7.0.9 is too old; 7.2 or later is required`,
    });
  });

  test("uses redis-server with a notice if there is no valkey-server", async () => {
    const { folder, found } = await search({ "redis-server": REDIS });
    expect(found.program?.notice).toBe(
      `Using ${join(folder, "redis-server")} (redis 7.0.15): no valkey-server was found.`,
    );
  });

  test("skips a redis-server that is too old", async () => {
    const { found } = await search({ "redis-server": OLD_REDIS });
    expect(found.program).toBeUndefined();
    expect(found.looked.at(-1)?.result).toContain("redis 6.2.14 is too old; 7.0 or later is required");
  });

  test("lists each location that was searched", async () => {
    const { found } = await search({});
    expect(found).toEqual({
      looked: [
        { where: "$LATCHKEY_VALKEY_BIN", result: "not set" },
        { where: "valkey-server on PATH", result: "not found" },
        { where: "redis-server on PATH", result: "not found" },
      ],
    });
  });

  test("prefers LATCHKEY_VALKEY_BIN to PATH", async () => {
    const folder = await freshFolder();
    const bin = await shellScript(folder, "my-server", REDIS);
    const { found } = await search({ "valkey-server": VALKEY }, { LATCHKEY_VALKEY_BIN: bin });
    expect(found.program?.bin).toBe(bin);
  });

  test("prefers the bin option to LATCHKEY_VALKEY_BIN", async () => {
    const folder = await freshFolder();
    const bin = await shellScript(folder, "my-server", VALKEY);
    const { program } = await findServer({ bin, env: { LATCHKEY_VALKEY_BIN: "/nonexistent" } });
    expect(program?.bin).toBe(bin);
  });

  test.each([
    ["is not there", undefined, "file not found"],
    ["is some other program", 'echo "nginx version: 1.27"', "it is neither Valkey nor Redis"],
    ["is too old", OLD_VALKEY, "valkey 7.0.9 is too old; 7.2 or later is required"],
    ["fails", "exit 3", "it failed when asked for its version"],
  ])("rejects a named program that %s, although another is on PATH", async (_, body, reason) => {
    const folder = await freshFolder();
    const bin = join(folder, "named");
    if (body !== undefined) await shellScript(folder, "named", body);
    await expect(search({ "valkey-server": VALKEY }, { LATCHKEY_VALKEY_BIN: bin })).rejects.toThrow(
      `LATCHKEY_VALKEY_BIN names "${bin}", which cannot be used: ${reason}. Name a valkey-server 7.2 or later`,
    );
  });
});
