import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { documentedCodes, pageWithCodes } from "../../scripts/docs-errors.mjs";
import { exitCodeOf } from "../../src/cli/exit-codes.js";
import { root } from "../helpers/built.js";

const codes: Record<string, { classes: string[] }> = documentedCodes();
const src = join(root, "src");
const sources = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && !name.startsWith("lua/") && name !== "errors/codes.ts")
  .map((name) => readFileSync(join(src, name), "utf8"));

/** The base of each error class in src. */
const bases = new Map(
  sources.flatMap((text) =>
    [...text.matchAll(/class (\w+) extends (\w*Error)\b/g)].map(
      ([, name = "", base = ""]) => [name, base] as const,
    ),
  ),
);

function isPublic(name: string): boolean {
  const base = bases.get(name);
  return base === "LatchkeyError" || (base !== undefined && isPublic(base));
}

/** Errors that the same layer or the one above catches: callers never receive them. */
const INTERNAL = [
  "BacklogError",
  "CheckDeniedError",
  "DemoFailure",
  "ErrorReply",
  "LateError",
  "NoConfirmationError",
  "OfflineError",
  "StillOpenError",
  "TimeUpError",
  "UnusableReplicaError",
];

describe("the codes of errors", () => {
  it("name every class of LatchkeyError, and no class that does not exist", () => {
    const listed = new Set(Object.values(codes).flatMap(({ classes }) => classes));
    const thrown = [...bases.keys()].filter(isPublic);
    expect([...listed].sort()).toEqual([...thrown, "LatchkeyError"].sort());
  });

  it("are all documented", () => {
    const source = readFileSync(join(src, "errors/codes.ts"), "utf8");
    expect(Object.keys(codes)).toEqual([...source.matchAll(/\| "(\w+)"/g)].map(([, code]) => code));
    expect(Object.keys(codes).length).toBeGreaterThan(0);
  });

  it("are all in use", () => {
    const unused = Object.keys(codes).filter((code) => !sources.some((text) => text.includes(`"${code}"`)));
    expect(unused).toEqual([]);
  });

  it("belong to every error class but the internal ones", () => {
    const direct = [...bases].flatMap(([name, base]) => (base === "Error" ? [name] : []));
    expect(direct.filter((name) => !INTERNAL.includes(name))).toEqual(["LatchkeyError"]);
  });

  it("are complete in docs/reference/errors.md: run `npm run docs:errors`", () => {
    const page = readFileSync(join(root, "docs/reference/errors.md"), "utf8");
    for (const code of Object.keys(codes)) expect(page).toContain(`| \`${code}\` |`);
    expect(pageWithCodes(page, codes, exitCodeOf)).toBe(page);
  });

  it("are never missing where src throws", () => {
    const plain = sources.flatMap((text) => text.match(/throw new (?:Type|Range|Syntax)?Error\(.*/g) ?? []);
    // A sample that the doctor lacks is a mistake of its own source, not of a caller.
    expect(plain).toEqual([expect.stringContaining("the doctor has no sample call")]);
  });
});
