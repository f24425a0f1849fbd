// Bundles the entries of the package as CommonJS into dist/cjs, for jest, bundlers and compilers that cannot load or
// type-check ES modules by `require`. What two entries share, such as the classes of errors, is in one file, `core`.
// Packages that latchkey depends on stay outside. The entries are those of "exports" in package.json.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { rolldown } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const folder = join(dist, "cjs");

/** Writes the bundle and its declarations. The TypeScript must have been built. */
export async function buildCjs() {
  const entries = readEntries();
  const bundle = await rolldown({
    cwd: root,
    input: Object.fromEntries(entries.map(({ file, source }) => [file, join(dist, `${source}.js`)])),
    platform: "node",
    external: (id) => isBuiltin(id) || !/^[./]/.test(id),
  });
  const { output } = await bundle.generate({
    format: "cjs",
    comments: false,
    // jest has no `import()` without a flag of Node.
    dynamicImportInCjs: false,
    entryFileNames: "[name].cjs",
    chunkFileNames: "[name].cjs",
    // What only the entries for Nest share needs Nest, which other users do not have.
    codeSplitting: {
      groups: [
        { name: "core", test: (id) => !id.startsWith(join(dist, "nestjs")), minShareCount: 2 },
        { name: "nestjs-core", minShareCount: 2 },
      ],
    },
  });
  await bundle.close();
  mkdirSync(folder);
  // Files below it with the ending .d.ts describe CommonJS.
  writeFileSync(join(folder, "package.json"), `${JSON.stringify({ type: "commonjs" })}\n`);
  for (const { fileName, code } of output) writeFileSync(join(folder, fileName), code);
  for (const path of declarationsOf(entries)) {
    const copy = join(folder, relative(dist, path));
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(path, copy);
  }
}

/** Reads the entries from package.json. Each must have all forms, so that none is left out by a mistake. */
function readEntries() {
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return Object.entries(exports).flatMap(([name, forms]) => {
    if (typeof forms === "string") return []; // a file, not code
    const path = name === "." ? "" : name.slice("./".length);
    const source = join(path, "index");
    const expected = formsOf(source, path === "" ? "index" : path.replaceAll("/", "-"));
    if (!isDeepStrictEqual(forms, expected.forms))
      throw new Error(
        `package.json: "exports" must have "${name}": ${JSON.stringify(expected.forms, null, 2)}`,
      );
    return [{ file: expected.file, source }];
  });
}

/** Returns the forms of an entry: the ES module if the loader knows a condition for it, else CommonJS. */
function formsOf(source, file) {
  const esm = { types: `./dist/${source}.d.ts`, default: `./dist/${source}.js` };
  const cjs = { types: `./dist/cjs/${source}.d.ts`, default: `./dist/cjs/${file}.cjs` };
  return { file, forms: { "module-sync": esm, import: esm, default: cjs } };
}

/** Lists the declarations that the entries' declarations import, themselves included. */
function declarationsOf(entries) {
  const found = new Set(entries.map(({ source }) => join(dist, `${source}.d.ts`)));
  for (const path of found) {
    for (const [, target] of readFileSync(path, "utf8").matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)\.js"/g))
      found.add(join(dirname(path), `${target}.d.ts`));
  }
  return found;
}
