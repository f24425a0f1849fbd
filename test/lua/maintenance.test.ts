import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { manifest } from "../../src/lua/index.js";
import { maintenanceScripts } from "../../src/lua/maintenance.js";
import { admin } from "../helpers/calls.js";
import { headerOf, path } from "../helpers/lua-source.js";

const scripts = Object.entries(maintenanceScripts);

it("is built from every file of lua/maintenance, and is in no list of operations", () => {
  const files = readdirSync(path("lua/maintenance")).sort();
  expect(scripts.map(([name]) => `${name}.lua`)).toEqual(files);
  for (const [name] of scripts) expect(Object.keys(manifest.operations)).not.toContain(name);
});

describe.each(scripts)("%s", (name, { text, sha1 }) => {
  const file = `lua/maintenance/${name}.lua`;
  const source = readFileSync(path(file), "utf8").trimEnd();
  const { keys, args, outcomes, errors } = headerOf(file, source);
  const body = source.slice(source.indexOf("\n\n"));

  it("is the text of its file under the SHA-1 that the server computes", async () => {
    expect(text).toBe(source.replace("#!lua\n", `#!lua\n-- Built from ${file}. Do not edit.\n`));
    expect(sha1).toBe(createHash("sha1").update(text).digest("hex"));
    expect(await (await admin()).script("LOAD", text)).toBe(sha1);
  });

  it("binds each key and each argument once, in its first part, under the name in its header", () => {
    const bound = (list: "KEYS" | "ARGV") =>
      [...body.matchAll(new RegExp(`local ([\\w, ]+) = (${list}\\[.*)\\n`, "g"))].flatMap(
        ([, names = "", places = ""]) => {
          const numbers = [...places.matchAll(/\d+/g)].map(String);
          return names.split(", ").map((local, at) => `${numbers[at]} ${local}`);
        },
      );
    expect(bound("KEYS")).toEqual(keys.map((key) => `${key.number} ${key.name}_key`));
    expect(bound("ARGV")).toEqual(args.slice(0, -1).map((arg, at) => `${at + 1} ${arg}`));
    expect(args.at(-1)).toBe("and"); // the last line of ARGV is the rest: "11 and on"
    expect(body).toContain(`unpack(ARGV, ${args.length})`);
  });

  it("has the parts inputs, read, reject and write, and writes in the last one only", () => {
    const titles = [...body.matchAll(/^-- (\d \w+)$/gm)].map(([, title]) => title);
    expect(titles).toEqual(["1 inputs", "2 read", "3 reject", "4 write"]);
    const [before = "", write = ""] = body.split("\n-- 4 write\n");
    expect([...before.matchAll(/\bcall\('(\w+)'/g)].map(([, command]) => command)).toEqual([
      "HMGET",
      "ZSCORE",
      "ZSCORE",
      "EXISTS",
      "LLEN",
    ]);
    expect(write).toMatch(/\bcall\(/);
    expect(write).not.toMatch(/error_reply/);
  });

  it("returns the outcomes and the errors that its header lists, and no others", () => {
    const returned = [...body.matchAll(/return '([A-Z]+)'/g)].map(([, word]) => word);
    expect(returned.sort()).toEqual([...outcomes].sort());
    const failures = [...body.matchAll(/error_reply\('([A-Z]+)/g)].map(([, word]) => word);
    expect(failures).toEqual(errors);
  });
});
