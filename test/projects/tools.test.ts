import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { root } from "../helpers/built.js";
import { LIMIT_MS, succeeds } from "../helpers/developer.js";
import { sharedFolder } from "../helpers/folder.js";
import { npm, pack } from "../helpers/packed.js";

/** TypeScript versions, and Node versions from npm, under names of their own. */
const COMPILERS = ["5.4", "5.7", "5.9", "6", "7"];
const NODES = ["22", "24"];
const PACKAGES = {
  ...Object.fromEntries(COMPILERS.map((version) => [`ts${version}`, `npm:typescript@${version}`])),
  ...Object.fromEntries(
    NODES.map((version) => [`node${version}`, `npm:node-${process.platform}-${process.arch}@${version}`]),
  ),
  ...{ "ts-node": "^10.9.0", typescript: "5.9", tsx: "^4.23.0", esbuild: "^0.28.0" },
  ...{ webpack: "^5.112.0", "@swc/core": "^1.16.0", "@types/node": "^20.19.0", iovalkey: "^0.4.0" },
  ...{ "@nestjs/common": "^11.2.0", "@nestjs/core": "^11.2.0", "@nestjs/testing": "^11.2.0" },
  ...{ "reflect-metadata": "^0.2.2", rxjs: "^7.8.0" },
};
const LIFE = {
  ...{ state: "running", version: 2, isClass: true, outcome: "NOTFOUND" },
  ...{ script: 40, contract: 2 },
};
const NODE = process.execPath;
const FILES = ["cjs/life.ts", "esm/life.ts"];
/** The entries with code, as in package.json. */
const ENTRIES = Object.entries(manifest.exports).flatMap(([name, forms]) =>
  typeof forms === "string" ? [] : [`latchkey${name.slice(1)}`],
);
const folder = sharedFolder();

beforeAll(async () => {
  const { tarball } = await pack(folder);
  const dependencies = { ...PACKAGES, latchkey: `file:${tarball}` };
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "app", private: true, dependencies }));
  await npm(folder, "install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error");
  for (const [name, type] of [
    ["cjs", "commonjs"],
    ["esm", "module"],
  ] as const) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "package.json"), JSON.stringify({ type }));
    await copyFile(join(root, "test/fixtures/projects/tools/life.ts"), join(folder, name, "life.ts"));
    await swc(name, `${name}/swc.js`);
  }
}, LIMIT_MS);

/** Compiles the life with SWC. */
async function swc(type: "cjs" | "esm", output: string): Promise<void> {
  const options = {
    jsc: { parser: { syntax: "typescript" }, target: "es2022" },
    module: { type: type === "cjs" ? "commonjs" : "es6" },
  };
  const text = `const { transformFileSync } = require("@swc/core");
    const { code } = transformFileSync("${type}/life.ts", ${JSON.stringify(options)});
    require("node:fs").writeFileSync("${output}", code);`;
  await script(`swc-${type}.cjs`, text);
}

/** Runs a program of the project, which must print the results of a life. */
async function lives(...words: readonly [string, ...string[]]): Promise<void> {
  const lines = (await succeeds(folder, ...words)).trim().split("\n");
  expect(JSON.parse(lines.at(-1) ?? "")).toEqual(LIFE);
}

/** Runs a script in Node, with the packages of the project. */
async function script(name: string, text: string): Promise<void> {
  await writeFile(join(folder, name), text);
  await succeeds(folder, NODE, name);
}

describe.each(COMPILERS)("TypeScript %s", (version) => {
  const bin = `node_modules/ts${version}/bin/tsc`;
  const options = ["--strict", "--noEmit", "--target", "es2022", "--types", "node"];
  const lib = ["--lib", "es2023,esnext.disposable"];
  const skip = ["--skipLibCheck"];

  test("compiles projects of both types with node16", async () => {
    // The declarations of all packages are checked by the oldest and the newest compiler: that takes several times as long.
    const skipped = version === COMPILERS[0] || version === COMPILERS.at(-1) ? [] : skip;
    await succeeds(folder, NODE, bin, ...options, ...lib, ...skipped, "--module", "node16", ...FILES);
  });

  test("compiles projects of both types with nodenext", async () => {
    await succeeds(folder, NODE, bin, ...options, ...lib, ...skip, "--module", "nodenext", ...FILES);
  });

  test("compiles for a bundler", async () => {
    const resolution = ["--module", "esnext", "--moduleResolution", "bundler", ...skip];
    await succeeds(folder, NODE, bin, ...options, ...lib, ...resolution, "cjs/life.ts");
  });

  // TypeScript 7 does not have it.
  if (version === "7") return;

  test("compiles with the resolution of CommonJS, which ignores exports", async () => {
    const silent = ["--ignoreDeprecations", version === "6" ? "6.0" : "5.0"];
    const resolution = ["--module", "commonjs", "--moduleResolution", "node10", ...skip, ...silent];
    await succeeds(folder, NODE, bin, ...options, ...lib, ...resolution, "--esModuleInterop", "cjs/life.ts");
  });
});

describe("a TypeScript file that uses the package runs", () => {
  test.each(["cjs", "esm"])("with tsx, as %s", async (type) => {
    await lives(NODE, "node_modules/tsx/dist/cli.mjs", `${type}/life.ts`);
  });

  test("with ts-node, as CommonJS", async () => {
    const options = JSON.stringify({ module: "nodenext", moduleResolution: "nodenext", target: "es2022" });
    await lives(NODE, "node_modules/ts-node/dist/bin.js", "-O", options, "cjs/life.ts");
  });

  test.each(["cjs", "esm"])("compiled by SWC, as %s", async (type) => {
    await lives(NODE, `${type}/swc.js`);
  });

  test.each(["cjs", "esm"])("bundled by esbuild, as %s", async (type) => {
    // esbuild's own recipe for CommonJS packages in a bundle of ES modules.
    const banner = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`;
    const options = {
      ...{
        entryPoints: [`${type}/life.ts`],
        outfile: `out-esbuild/${type}.${type === "cjs" ? "cjs" : "mjs"}`,
      },
      ...{ bundle: true, platform: "node", format: type, logLevel: "error" },
      ...(type === "esm" && { banner: { js: banner } }),
    };
    await script(`esbuild-${type}.cjs`, `require("esbuild").buildSync(${JSON.stringify(options)});`);
    await lives(NODE, options.outfile);
  });

  test.each(["cjs", "esm"])("bundled by webpack, as %s", async (type) => {
    const isModule = type === "esm";
    const filename = `${type}.${isModule ? "mjs" : "cjs"}`;
    const text = `require("webpack")({
        entry: "./${type}/swc.js", target: "node", mode: "production", devtool: false,
        experiments: { outputModule: ${isModule} },
        output: { path: __dirname + "/out-webpack", filename: "${filename}", module: ${isModule} },
      }, (error, stats) => {
        if (error || stats.hasErrors()) { console.error(error ?? stats.toString("errors-only")); process.exit(1); }
      });`;
    await script(`webpack-${type}.cjs`, text);
    await lives(NODE, `out-webpack/${filename}`);
  });
});

describe.each([process.versions.node, ...NODES])("Node %s", (version) => {
  const bin = version === process.versions.node ? NODE : join(folder, `node_modules/node${version}/bin/node`);

  test.each(ENTRIES)("gives the same %s to import and to require", async (entry) => {
    const text = `const required = require("${entry}");
        import("${entry}").then((imported) => {
          const names = Object.keys(required).filter((name) => name !== "__esModule");
          if (names.length === 0 || names.some((name) => required[name] !== imported[name])) process.exit(1);
        });`;
    await writeFile(join(folder, "same.cjs"), text);
    await succeeds(folder, bin, "same.cjs");
  });

  test.each(["cjs", "esm"])("runs a life, as %s", async (type) => {
    await lives(bin, `${type}/swc.js`);
  });
});

test("an entry exports the same names as CommonJS and as an ES module", async () => {
  const text = `Promise.all(${JSON.stringify(ENTRIES)}.map(async (entry) => {
      const name = entry.split("/").slice(1).join("-") || "index";
      const cjs = Object.keys(require("./node_modules/latchkey/dist/cjs/" + name + ".cjs")).sort();
      const esm = Object.keys(await import(entry)).filter((name) => name !== "module.exports").sort();
      if (esm.join() !== cjs.join()) throw new Error(entry + ": " + esm + " and " + cjs);
    })).catch((error) => { console.error(error); process.exit(1); });`;
  await script("names.cjs", text);
});
