import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../helpers/built.js";

/** Every file of the project that is not ignored, as git knows it. */
const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
})
  .split("\0")
  .filter((path) => path !== "" && existsSync(join(root, path)) && statSync(join(root, path)).isFile());

const read = (path: string): string => readFileSync(join(root, path), "utf8");
const documents = files.filter((path) => path.endsWith(".md") && !path.startsWith("test/"));

/** Makes a heading's anchor as GitHub does. */
function anchor(heading: string): string {
  const words = heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "");
  return words.trim().replaceAll(" ", "-");
}

/** Lists the anchors of a page: of its headings, of which GitHub numbers repeated ones, and of its HTML. */
function anchors(markdown: string): string[] {
  const prose = markdown.replace(/^```.*?^```/gms, "");
  const words = [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchor(heading));
  const numbered = words.map((word, at) => {
    const before = words.slice(0, at).filter((other) => other === word).length;
    return before === 0 ? word : `${word}-${before}`;
  });
  return [...numbered, ...[...prose.matchAll(/<a id="([^"]+)">/g)].map(([, id = ""]) => id)];
}

describe.each(documents)("%s", (path) => {
  test("names only npm scripts that exist", () => {
    const { scripts } = JSON.parse(read("package.json"));
    const named = [...read(path).matchAll(/\bnpm (?:run (?:--\S+ )*([a-z:-]+)|(test|start)\b)/g)];
    expect(
      named.flatMap(([, run, short]) => run ?? short ?? []).filter((name) => !(name in scripts)),
    ).toEqual([]);
  });

  test("links only to files and headings that exist", () => {
    const links = [...read(path).matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)/g)];
    const broken = links.filter(([, target = "", heading]) => {
      const file = target === "" ? path : join(dirname(path), target);
      if (!existsSync(join(root, file))) return true;
      return heading !== undefined && !anchors(read(file)).includes(heading);
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });
});

describe("the project", () => {
  /** Names that only one machine or one network knows. */
  const registry = execFileSync("npm", ["config", "get", "registry"], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const foreign = [
    ["the folder it lies in", root.replace(/\/$/, "")],
    ["a home folder", /(?<![\w.$}-])\/(?:home|Users)\/\w/],
    ["a working folder", /(?<![\w.$}-])\/(?:work|root|workspace|tmp|var\/tmp)\/\w/],
    ["this machine's package registry", new URL(registry).host],
    ["any package registry", /\bregistry\.[a-z-]+\.[a-z]/],
  ] as const;

  test.each(foreign)("nowhere names %s", (_, name) => {
    const naming = files.filter((path) =>
      typeof name === "string" ? read(path).includes(name) : name.test(read(path)),
    );
    expect(naming).toEqual([]);
  });
});
