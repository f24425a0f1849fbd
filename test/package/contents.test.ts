import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { root } from "../helpers/built.js";
import { sharedFolder } from "../helpers/folder.js";
import { type Packed, pack } from "../helpers/packed.js";
import { tryRun } from "../helpers/run.js";

const folder = sharedFolder();
let packed: Packed;

beforeAll(async () => {
  packed = await pack(folder);
});

/** Lists the files of src. */
function sources(): string[] {
  const names = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(".ts")).map((name) => join(root, "src", name));
}

/** Lists what the package may contain. */
const BELONGS = [
  /^(README|CHANGELOG)\.md$|^LICENSE$|^package\.json$/,
  /^docker-compose\.yml$|^Dockerfile$|^\.dockerignore$/,
  /^bin\/(latchkey\.js|package\.json)$/,
  /^dist\/bundle\/([a-z0-9-]+\.cjs|LICENSES\.txt)$/,
  /^dist\/[a-z/-]+\.(js|d\.ts)$/,
  /^dist\/cjs\/([a-z-]+\.cjs|package\.json)$/,
  /^dist\/lua\/[a-z0-9_]+\.lua$|^dist\/lua\/manifest\.json$/,
  /^lua\/((functions|steps|reactions|maintenance)\/)?[a-z-]+\.lua$|^lua\/README\.md$/,
  /^docs\/[A-Za-z0-9/-]+\.(md|svg)$/,
  /^schema\/[a-z.]+\.json$/,
];

describe("the package", () => {
  test("holds what its users need", () => {
    const scripts = readdirSync(join(root, "lua")).filter((name) => name.endsWith(".lua"));
    expect(scripts.length).toBeGreaterThan(4);
    const needed = [
      ...["LICENSE", "README.md", "CHANGELOG.md", "bin/latchkey.js", "lua/README.md"],
      ...["docker-compose.yml", "Dockerfile", ".dockerignore"],
      ...["docs/reference/api/README.md", "docs/reference/api/latchkey.md"],
      ...["dist/index.js", "dist/index.d.ts", "dist/testing/index.js"],
      ...["dist/cjs/index.cjs", "dist/cjs/core.cjs", "dist/cjs/index.d.ts", "dist/cjs/package.json"],
      ...["bin/package.json", "dist/bundle/main.cjs", "dist/bundle/LICENSES.txt"],
      ...["dist/lua/latchkey_v2.lua", "dist/lua/manifest.json", "schema/machine.schema.json"],
      ...scripts.flatMap((name) => [`lua/${name}`, `dist/lua/${name}`]),
    ];
    expect(needed.filter((path) => !packed.files.includes(path))).toEqual([]);
  });

  test("holds nothing else: no tests, no build stamps, no maps of sources that are not there", () => {
    expect(packed.files.filter((path) => !BELONGS.some((pattern) => pattern.test(path)))).toEqual([]);
  });

  test("includes the licence of each package in the bundle", () => {
    const notices = readFileSync(join(root, "dist/bundle/LICENSES.txt"), "utf8");
    for (const name of ["commander", "iovalkey", "redis-parser", "denque", "yaml"]) {
      const text = readFileSync(join(root, "node_modules", name, "LICENSE"), "utf8").trim();
      expect(notices).toContain(text);
    }
  });

  test("names no folder of the machine that built it", () => {
    const telling = packed.files.filter((path) => {
      const text = readFileSync(join(root, path), "utf8");
      return text.includes(root) || text.includes(`${homedir()}/`);
    });
    expect(telling).toEqual([]);
  });

  test("names each entry's declarations to compilers that do not read exports, as NestJS 10 sets its own", () => {
    const { main, types, typesVersions, exports } = JSON.parse(
      readFileSync(join(root, "package.json"), "utf8"),
    );
    expect({ types, default: main }).toEqual(exports["."].default);
    const typed = Object.entries<{ default?: { types: string } }>(exports).flatMap(([entry, forms]) =>
      entry === "." || forms.default === undefined ? [] : [[entry.slice("./".length), [forms.default.types]]],
    );
    expect(typed.length).toBeGreaterThan(1);
    expect(typesVersions).toEqual({ "*": Object.fromEntries(typed) });
  });

  test("exports each entry of the sources", () => {
    const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const modules = sources().flatMap(
      (path) => / @module latchkey(\/?\S*)/.exec(readFileSync(path, "utf8"))?.[1] ?? [],
    );
    expect(modules.length).toBeGreaterThan(1);
    const code = Object.keys(exports).filter((name) => typeof exports[name] !== "string");
    expect(code.sort()).toEqual(modules.map((name) => `.${name}`).sort());
  });

  test("loads only dependencies when the CommonJS file that all entries share is loaded", () => {
    const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const text = readFileSync(join(root, "dist/cjs/core.cjs"), "utf8");
    const names = [...text.matchAll(/^let .*\brequire\("((?!node:|\.)[^"]+)"\)/gm)].map(
      ([, name = ""]) => name,
    );
    expect(names).toContain("iovalkey");
    expect(names.filter((name) => !(name in dependencies))).toEqual([]);
  });

  test("runs nothing when it is installed", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(Object.keys(scripts).filter((name) => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([]);
  });

  test.each([
    ["publint", ["run", "--strict"]],
    ["attw", ["--exclude-entrypoints", "./lua/manifest.json", "--"]],
  ])(
    "is clean in the eyes of %s",
    async (linter, args) => {
      const bin = join(root, "node_modules/.bin", linter);
      const { exit, stdout, stderr } = await tryRun(process.execPath, [bin, ...args, packed.tarball], {
        cwd: folder,
        timeout: 600_000,
      });
      expect(exit, stdout + stderr).toBe(0);
    },
    600_000,
  );
});
