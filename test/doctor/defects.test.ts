import { describe, expect, test } from "vitest";
import { defectsOf, hasReplayDefect } from "../../src/doctor/checks/defects.js";
import { judgeServer } from "../../src/doctor/checks/server-kind.js";
import { readGreeting } from "../../src/doctor/greeting.js";
import { KNOWN_DEFECTS } from "../../src/doctor/known-defects.js";
import { isBefore, lineOf, parseVersion, type Version } from "../../src/doctor/version.js";
import { finding, findings, ownServer } from "../helpers/doctor.js";
import { useValkey } from "../helpers/valkey.js";

const version = (text: string): Version => parseVersion(text) ?? [0, 0, 0];
const ids = (text: string): string[] => defectsOf(version(text)).map(({ id }) => id);

describe("the table of known defects", () => {
  test("names a fix in its own line, or none, for every line", () => {
    for (const { numbers, fixed } of KNOWN_DEFECTS) {
      expect([numbers, Object.keys(fixed).filter((line) => line !== "7.2")]).toEqual([
        numbers,
        ["8.0", "8.1", "9.0", "9.1"],
      ]);
      for (const [line, first] of Object.entries(fixed)) {
        if (first !== "never") expect([numbers, lineOf(version(first))]).toEqual([numbers, line]);
      }
    }
    const numbers = KNOWN_DEFECTS.flatMap((defect) => defect.numbers);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  test.each(
    KNOWN_DEFECTS.flatMap(({ numbers, fixed }) =>
      Object.values(fixed).flatMap((first) =>
        first === "never" ? [] : [[`defect/${numbers[0]}`, first] as const],
      ),
    ),
  )("%s is gone from %s on, and there before", (id, first) => {
    const [major, minor, patch] = version(first);
    expect(ids(first)).not.toContain(id);
    if (patch > 0) expect(ids(`${major}.${minor}.${patch - 1}`)).toContain(id);
  });

  test.each(["8.0.13", "8.1.12", "9.0.8", "9.1.4"])("finds nothing in %s", (text) => {
    expect(ids(text)).toEqual([]);
  });

  test("says where a fix could not be confirmed, and nowhere else", () => {
    const unsure = KNOWN_DEFECTS.flatMap(({ numbers, fixed, unconfirmed = [] }) =>
      unconfirmed.map((line) => `${numbers[0]} ${fixed[line]}`),
    );
    expect(unsure).toEqual([
      "CVE-2025-21605 8.0.3",
      "CVE-2025-27151 8.0.4",
      "CVE-2025-67733 9.0.3",
      "PR-4342 9.0.6",
      "CVE-2026-130822 8.1.12",
      "CVE-2026-130822 9.1.4",
    ]);
    expect(defectsOf(version("8.1.11")).map(({ seen }) => seen)).toEqual([
      "8.1.11 has CVE-2026-130822, fixed in 8.1.12 (not confirmed)",
    ]);
    expect(defectsOf(version("8.0.3")).map(({ seen }) => seen)).toEqual(
      expect.arrayContaining([
        "8.0.3 has CVE-2025-32023, CVE-2025-48367, fixed in 8.0.4",
        "8.0.3 has CVE-2025-27151, fixed in 8.0.4 (not confirmed)",
      ]),
    );
  });

  test.each([
    ["8.0.10", true],
    ["8.0.11", false],
    ["7.2.14", true],
    ["7.2.15", false],
    ["9.2.0", false],
  ])("knows whether %s replays by the rights of the user default: %s", (text, expected) => {
    expect(hasReplayDefect(version(text))).toBe(expected);
  });
});

describe("versions", () => {
  test.each([
    ["8.0.1", "8.0.2", true],
    ["8.0.2", "8.0.2", false],
    ["8.0.13", "8.0.2", false],
    ["7.9.9", "8.0.0", true],
    ["8.1", "8.1.1", true],
    ["9.0.0", "8.1.12", false],
  ])("%s is before %s: %s", (one, other, expected) => {
    expect(isBefore(version(one), version(other))).toBe(expected);
  });

  test.each(["", "df-v1.2", "unstable", "8"])("%j is none", (text) => {
    expect(parseVersion(text)).toBeUndefined();
  });
});

describe("the kind of server", () => {
  const greeting = (hello: object, info?: object) =>
    readGreeting(new Map(Object.entries(hello)), info && new Map(Object.entries(info)));

  test.each([
    ["valkey", "8.0.1", {}, "ok"],
    ["valkey", "7.2.0", {}, "ok"],
    ["valkey", "7.1.9", {}, "bad"],
    ["redis", "7.4.0", {}, "note"],
    ["redis", "6.2.14", {}, "bad"],
    ["redis", "7.2.4", { valkey_version: "8.0.1" }, "ok"],
    ["redis", "7.4.0", { dragonfly_version: "df-v1.27.1" }, "bad"],
    ["redis", "6.3.4", { executable: "/usr/bin/keydb-server" }, "bad"],
    ["redis", "6.3.4", { mvcc_depth: "0" }, "bad"],
    ["garnet", "7.4.0", {}, "warn"],
    ["valkey", "", {}, "bad"],
  ])("that says %s %s and %j is %s", (server, text, info, level) => {
    expect(judgeServer(greeting({ server, version: text }, info)).level).toBe(level);
  });

  test("is told without INFO too", () => {
    expect(judgeServer(greeting({ server: "valkey", version: "8.0.1" }))).toMatchObject({
      id: "server",
      level: "ok",
      seen: "valkey 8.0.1",
    });
  });
});

test("the defects of the server at hand are those of its version", async () => {
  const { url } = await useValkey();
  const all = await findings({ url });
  const server = all.find(({ id }) => id === "server");
  const own = version(server?.seen.replace("valkey ", "") ?? "");
  const found = all.filter(({ id }) => id.startsWith("defect/"));
  expect(server?.level).toBe("ok");
  expect(found).toEqual(defectsOf(own));
  expect(all.some(({ id, level }) => id === "defects" && level === "ok")).toBe(found.length === 0);
});

test("a Valkey that calls itself Redis is known by INFO; without the right to ask it counts as Redis", async () => {
  const { server, admin } = await ownServer();
  await admin.config("SET", "extended-redis-compatibility", "yes");
  await admin.call("ACL", "SETUSER", "blind", "on", ">blind", "~*", "&*", "+@all", "-info");
  expect(await finding("server", { url: server.url })).toMatchObject({ level: "ok" });
  const blind = { url: server.url, username: "blind", password: "blind" };
  expect(await finding("server", blind)).toMatchObject({ level: "note", seen: "redis 7.2.4" });
  expect(await finding("defects", blind)).toMatchObject({ level: "note", seen: "redis 7.2.4" });
});
