import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { root } from "./built.js";
import { npm } from "./packed.js";
import { run } from "./run.js";

/** A project that the generator of a Nest version makes: `ts` is CommonJS, `ts-esm` are ES modules. */
export interface Generated {
  readonly major: 10 | 11 | 12;
  readonly kind: "ts" | "ts-esm";
}

/** The generator's answers. */
const ANSWERS: Readonly<Record<string, string>> = {
  ...{ name: "app", version: "0.0.1", description: "", author: "" },
  ...{ strict: "true", specFileSuffix: "spec" },
};

/** Development packages that `npm test` does not use: linters, formatters, the command line of Nest. */
const UNUSED =
  /eslint|prettier|oxlint|globals|supertest|loader|source-map|tsconfig-paths|coverage|express|nestjs\/(cli|schematics|mau)/;
/** In a project of ES modules, the test configuration uses this one. */
const NEEDED = "vite-tsconfig-paths";

/**
 * Writes a new project as `nest new --strict` does, with its own settings of tests, and a module that uses latchkey.
 *
 * @param tarball the packed package
 * @param more further packages, as in package.json
 */
export async function generate(
  folder: string,
  { major, kind }: Generated,
  tarball: string,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  const templates = await unpack(folder, major, kind);
  for (const [name, text] of templates) await write(join(folder, rendered(name)), rendered(text));
  const manifest = join(folder, "package.json");
  const { dependencies, devDependencies, ...rest } = JSON.parse(await readFile(manifest, "utf8"));
  const used = Object.entries(devDependencies).filter(([name]) => name === NEEDED || !UNUSED.test(name));
  await writeFile(
    manifest,
    JSON.stringify({
      ...rest,
      dependencies: { ...dependencies, latchkey: `file:${tarball}` },
      devDependencies: { ...Object.fromEntries(used), ...more },
    }),
  );
  const own = join(root, "test/fixtures/projects/nest");
  for (const name of await readdir(own)) {
    const text = await readFile(join(own, name), "utf8");
    await writeFile(join(folder, "src", name), kind === "ts" ? asCommonJs(text) : asModule(text));
  }
  // A package of Nest 12 asks for Node 22, though Nest itself supports Node 20.
  const options = ["--no-engine-strict", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"];
  await npm(folder, "install", ...options);
}

/** Reads the generator's templates by their paths in the project. */
async function unpack(folder: string, major: number, kind: string): Promise<Map<string, string>> {
  const place = `${folder}-generator`;
  await mkdir(place, { recursive: true });
  const options = ["--silent", "--prefer-offline", "--pack-destination", place];
  const tarball = (await npm(place, "pack", `@nestjs/schematics@${major}`, ...options)).trim();
  await run("tar", ["xzf", tarball], { cwd: place });
  const files = join(place, "package/dist/lib/application/files", kind);
  const names = (await readdir(files, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !/^\.|lint|README/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    // Its end-to-end test is the same for every package.
    .filter((name) => !name.startsWith(join(files, "test/")));
  const texts = names.map(
    async (name) => [name.slice(files.length + 1), await readFile(name, "utf8")] as const,
  );
  return new Map(await Promise.all(texts));
}

/** Fills in a template. Its optional parts are for a paid service of Nest, which these projects do not choose. */
function rendered(template: string): string {
  return template
    .replace(/<% if \(observe\) \{ %>[\s\S]*?<% \} %>/g, "")
    .replace(/<%= (\w+) %>|__(\w+)__/g, (_, ...names: unknown[]) => {
      const name = names.find((one) => typeof one === "string") ?? "";
      const answer = ANSWERS[String(name)];
      if (answer === undefined)
        throw new Error(`the generator asks for ${String(name)}, which is unknown here`);
      return answer;
    });
}

function asCommonJs(text: string): string {
  return text.replace(/await import\(('[^']+')\)/g, "(require($1) as typeof import($1))");
}

function asModule(text: string): string {
  return text.replace(/from '(\.\/[^']+)'/g, "from '$1.js'").replace(/\bjest\./g, "vi.");
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}
