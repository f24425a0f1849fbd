import { describe, expect, test } from "vitest";
import { defectsOf, hasReplayDefect } from "../../src/doctor/checks/defects.js";
import { judgeServer } from "../../src/doctor/checks/server-product.js";
import { KNOWN_DEFECTS } from "../../src/doctor/known-defects.js";
import {
  isOlder,
  parseVersion,
  readIdentity,
  releaseLineOf,
  type Version,
} from "../../src/doctor/server-identity.js";
import { ownServer, result, results } from "../helpers/doctor.js";
import { isValkey } from "../helpers/server-program.js";
import { useValkey } from "../helpers/valkey.js";

const version = (text: string): Version => parseVersion(text) ?? [0, 0, 0];
const ids = (text: string): string[] => defectsOf(version(text)).map(({ id }) => id);

describe("the list of known defects", () => {
  test("has a fix of the same line, or none, for each line", () => {
    for (const { numbers, fixes } of KNOWN_DEFECTS) {
      expect([numbers, Object.keys(fixes).filter((line) => line !== "7.2")]).toEqual([
        numbers,
        ["8.0", "8.1", "9.0", "9.1"],
      ]);
      for (const [line, first] of Object.entries(fixes)) {
        if (first !== "never") expect([numbers, releaseLineOf(version(first))]).toEqual([numbers, line]);
      }
    }
    const numbers = KNOWN_DEFECTS.flatMap((defect) => defect.numbers);
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  test.each(
    KNOWN_DEFECTS.flatMap(({ numbers, fixes }) =>
      Object.values(fixes).flatMap((first) =>
        first === "never" ? [] : [[`defect/${numbers[0]}`, first] as const],
      ),
    ),
  )("%s is fixed in %s, and present before", (id, first) => {
    const [major, minor, patch] = version(first);
    expect(ids(first)).not.toContain(id);
    if (patch > 0) expect(ids(`${major}.${minor}.${patch - 1}`)).toContain(id);
  });

  test.each(["8.0.13", "8.1.12", "9.0.8", "9.1.4"])("finds nothing in %s", (text) => {
    expect(ids(text)).toEqual([]);
  });

  test("marks each unconfirmed fix", () => {
    const unconfirmedFixes = KNOWN_DEFECTS.flatMap(({ numbers, fixes, unconfirmed }) =>
      unconfirmed.map((line) => `${numbers[0]} ${fixes[line]}`),
    );
    expect(unconfirmedFixes).toEqual([
      "CVE-2025-21605 8.0.3",
      "CVE-2025-27151 8.0.4",
      "CVE-2025-67733 9.0.3",
      "PR-4342 9.0.6",
      "CVE-2026-130822 8.1.12",
      "CVE-2026-130822 9.1.4",
    ]);
    expect(defectsOf(version("8.1.11")).map(({ status }) => status)).toEqual([
      "8.1.11 has CVE-2026-130822, fixed in 8.1.12 (not confirmed)",
    ]);
    expect(defectsOf(version("8.0.3")).map(({ status }) => status)).toEqual(
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
  ])("knows whether replay in %s depends on the permissions of the user default: %s", (text, expected) => {
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
    expect(isOlder(version(one), version(other))).toBe(expected);
  });

  test.each(["", "df-v1.2", "unstable", "8"])("%j is not a version", (text) => {
    expect(parseVersion(text)).toBeUndefined();
  });
});

describe("the product", () => {
  const identity = (hello: object, info?: object) =>
    readIdentity(new Map(Object.entries(hello)), info && new Map(Object.entries(info)));

  test.each([
    ["valkey", "8.0.1", {}, "ok"],
    ["valkey", "7.2.0", {}, "ok"],
    ["valkey", "7.1.9", {}, "fail"],
    ["redis", "7.4.0", {}, "info"],
    ["redis", "6.2.14", {}, "fail"],
    ["redis", "7.2.4", { valkey_version: "8.0.1" }, "ok"],
    ["redis", "7.4.0", { dragonfly_version: "df-v1.27.1" }, "fail"],
    ["redis", "6.3.4", { executable: "/usr/bin/keydb-server" }, "fail"],
    ["redis", "6.3.4", { mvcc_depth: "0" }, "fail"],
    ["garnet", "7.4.0", {}, "warn"],
    ["valkey", "", {}, "fail"],
  ])("%s %s with %j is %s", (server, text, info, level) => {
    expect(judgeServer(identity({ server, version: text }, info)).level).toBe(level);
  });

  test.each([
    ["7.0.15", "Redis is for development and tests only, and this version cannot confirm durability on disk"],
    ["7.2.0", "Redis is for development and tests only"],
  ])("Redis %s is explained", (version, meaning) => {
    expect(judgeServer(identity({ server: "redis", version }))).toMatchObject({ meaning });
  });

  test("is known without INFO too", () => {
    expect(judgeServer(identity({ server: "valkey", version: "8.0.1" }))).toMatchObject({
      level: "ok",
      status: "valkey 8.0.1",
    });
  });
});

test.runIf(isValkey)("reports the defects of the running server's version", async () => {
  const { url } = await useValkey();
  const all = await results({ url });
  const server = all.find(({ id }) => id === "server");
  const own = version(server?.status.replace("valkey ", "") ?? "");
  const found = all.filter(({ id }) => id.startsWith("defect/"));
  expect(server?.level).toBe("ok");
  expect(found).toEqual(defectsOf(own));
  expect(all.some(({ id, level }) => id === "defects" && level === "ok")).toBe(found.length === 0);
});

test.runIf(isValkey)(
  "a Valkey that says Redis is identified by INFO, and counts as Redis without permission for INFO",
  async () => {
    const { server, admin } = await ownServer();
    await admin.config("SET", "extended-redis-compatibility", "yes");
    await admin.call("ACL", "SETUSER", "blind", "on", ">blind", "~*", "&*", "+@all", "-info");
    expect(await result("server", { url: server.url })).toMatchObject({ level: "ok" });
    const blind = { url: server.url, username: "blind", password: "blind" };
    expect(await result("server", blind)).toMatchObject({ level: "info", status: "redis 7.2.4" });
    expect(await result("defects", blind)).toMatchObject({ level: "info", status: "redis 7.2.4" });
  },
);
