// Bundles the command line into dist/bundle: its own modules, commander and the client, in few files, because each file
// costs a command time. The library is not bundled, because it shares the client with its users.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { lazyBuiltins } from "./bundle/lazy-builtins.mjs";
import { leanClient } from "./bundle/lean-client.mjs";
import { moduleGraph } from "./bundle/module-graph.mjs";
import { notices } from "./bundle/notices.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = (path) => join(root, "dist", path);

/** Commands that only read and are run often. They load two files, `main` and `client`. */
const FREQUENT = ["get", "list", "count", "history"];

/** Writes the bundle. The TypeScript must have been built. */
export async function buildCli() {
  const graph = moduleGraph();
  const names = methodNames([
    ...filesBelow(dist(".")),
    ...filesBelow(join(root, "node_modules/iovalkey/built")),
  ]);
  const bundle = await rolldown({
    cwd: root,
    input: { main: dist("cli/main.js") },
    platform: "node",
    external: ["testcontainers"],
    plugins: [graph.plugin, yamlFile, lazyBuiltins(), leanClient((name) => names.has(name))],
    preserveEntrySignatures: "allow-extension",
    // A module that some commands load late and others at once is fine.
    checks: { ineffectiveDynamicImport: false },
  });
  let fileOf;
  const name = (id) => {
    fileOf ??= filesByUse(graph);
    return fileOf(id);
  };
  const { output } = await bundle.generate({
    format: "cjs",
    comments: false,
    entryFileNames: "[name].cjs",
    chunkFileNames: "[name].cjs",
    codeSplitting: { includeDependenciesRecursively: false, groups: [{ name, debugName: "by use" }] },
  });
  await bundle.close();
  output.push(...(await bundledYaml()));
  const folder = dist("bundle");
  mkdirSync(folder);
  for (const { fileName, code } of output) writeFileSync(join(folder, fileName), code);
  const ids = output.flatMap(({ moduleIds }) => moduleIds);
  writeFileSync(join(folder, "LICENSES.txt"), notices(ids));
}

/** Leaves the package yaml to a file of its own, because few commands read or write YAML. */
const yamlFile = {
  name: "yaml-file",
  resolveId: (source) => (source === "yaml" ? { id: "./yaml.cjs", external: true } : null),
};

async function bundledYaml() {
  const bundle = await rolldown({ cwd: root, input: { yaml: "yaml" }, platform: "node" });
  const { output } = await bundle.generate({ format: "cjs", comments: false, entryFileNames: "[name].cjs" });
  await bundle.close();
  return output;
}

/** Returns a function that names the file of a module; null for one that only other commands load. */
function filesByUse({ reach, dynamicImports }) {
  const scripts = dist("lua/index.js");
  const main = reach([dist("cli/main.js"), ...filesBelow(dist("cli/commands"))]);
  const ofSession = dynamicImports(dist("cli/session.js")).filter((id) => !reach([id]).has(scripts));
  const client = reach([...ofSession, ...FREQUENT.map((name) => dist(`cli/actions/${name}.js`))], main);
  return (id) => (main.has(id) ? "main" : client.has(id) ? "client" : null);
}

/** Returns the words that can name a method in the code of these files: after a dot, a bracket or a quotation mark. */
function methodNames(paths) {
  return new Set(paths.flatMap((path) => readFileSync(path, "utf8").match(/(?<=[.["'`])[a-z]+\b/g) ?? []));
}

function filesBelow(path) {
  return readdirSync(path, { recursive: true })
    .filter((name) => name.endsWith(".js") && !name.startsWith("lua/"))
    .map((name) => join(path, name));
}
