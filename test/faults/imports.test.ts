import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { expect, it } from "vitest";
import { root } from "../helpers/built.js";

const folder = join(root, "faults");
const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".ts"));
const imports = await Promise.all(
  names.map(async (name) => {
    const text = await readFile(join(folder, name), "utf8");
    const specifiers = [...text.matchAll(/\b(?:from|import) "([^"]+)";$/gm)].map(([, found = ""]) => found);
    return { name, specifiers };
  }),
);

function isAllowed(name: string, specifier: string): boolean {
  if (specifier.startsWith(".")) {
    const path = resolve(folder, dirname(name), specifier);
    return !relative(folder, path).startsWith("..") && existsSync(path.replace(/\.js$/, ".ts"));
  }
  const entries = ["latchkey", "latchkey/testing", "latchkey/lua", "iovalkey", "commander"];
  return (specifier.startsWith("node:") && isBuiltin(specifier)) || entries.includes(specifier);
}

it("the fault runner imports its own files, Node.js and public entries of packages", () => {
  expect(imports.flatMap(({ specifiers }) => specifiers)).toContain("latchkey");
  const others = imports.flatMap(({ name, specifiers }) =>
    specifiers.filter((specifier) => !isAllowed(name, specifier)).map((specifier) => `${name}: ${specifier}`),
  );
  expect(others).toEqual([]);
});
