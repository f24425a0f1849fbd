import { access, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { root } from "../helpers/built.js";
import { sharedFolder } from "../helpers/folder.js";
import { installed, pack } from "../helpers/packed.js";
import { run, tryRun } from "../helpers/run.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const folder = sharedFolder();

beforeAll(async () => {
  const { tarball } = await pack(folder);
  await installed(folder, tarball);
}, 600_000);

/** Runs a file of the project in which the package is installed. */
async function node(name: string, text: string, env: NodeJS.ProcessEnv = {}): Promise<unknown> {
  await writeFile(join(folder, name), text);
  return JSON.parse(await run(process.execPath, [name], { cwd: folder, env: { ...process.env, ...env } }));
}

const LIFE = `
  const latchkey = await connect({ url: process.env.VALKEY_URL, namespace: process.env.NAMESPACE });
  const agents = await latchkey.machine(agent());
  await agents.create("a1", { taskId: "t1" });
  await agents.transition("a1", "running", { actor: "replica-3" });
  const refused = await agents.transition("a1", "spawning").catch((error) => error);
  const { state, version, taskId } = await agents.get("a1");
  await latchkey.close();
  console.log(JSON.stringify({ state, version, taskId, refused: refused instanceof IllegalTransitionError }));
`;

describe("the installed package", () => {
  test.each([
    ["import", "life.mjs", `import { agent, connect, IllegalTransitionError } from "latchkey";${LIFE}`],
    [
      "require",
      "life.cjs",
      `const { agent, connect, IllegalTransitionError } = require("latchkey"); (async () => {${LIFE}})();`,
    ],
  ])("keeps lifecycles, loaded by %s", async (_, name, text) => {
    const { url } = await useValkey();
    expect(await node(name, text, { VALKEY_URL: url, NAMESPACE: freshNamespace() })).toEqual({
      state: "running",
      version: 2,
      taskId: "t1",
      refused: true,
    });
  });

  test.each(["latchkey", "latchkey/testing", "latchkey/lua"])(
    "gives the same %s to import and to require",
    async (entry) => {
      const same = `const entry = ${JSON.stringify(entry)};
        import(entry).then((imported) => {
          const required = require(entry);
          const names = Object.keys(required).filter((name) => name !== "__esModule");
          console.log(JSON.stringify({ some: names.length > 0, same: names.every((name) => required[name] === imported[name]) }));
        });`;
      expect(await node("same.cjs", same)).toEqual({ some: true, same: true });
    },
  );

  test("gives its files by name, as they are", async () => {
    const read = `import { readFileSync } from "node:fs";
      import { createRequire } from "node:module";
      import { fileURLToPath } from "node:url";
      import { manifest, scripts } from "latchkey/lua";
      const require = createRequire(import.meta.url);
      const text = readFileSync(fileURLToPath(import.meta.resolve("latchkey/lua/transition.lua")), "utf8");
      console.log(JSON.stringify({
        lua: text === scripts.transition.text,
        sha1: require("latchkey/lua/manifest.json").operations.transition.sha1 === scripts.transition.sha1,
        contract: manifest.contract,
        schema: require("latchkey/schema/machine.schema.json").title,
        name: require("latchkey/package.json").name,
      }));`;
    expect(await node("files.mjs", read)).toEqual({
      lua: true,
      sha1: true,
      contract: 2,
      schema: "latchkey machine",
      name: "latchkey",
    });
  });

  test("keeps the rest to itself", async () => {
    const reach = `import("latchkey/dist/store/call.js").catch(({ code }) => console.log(JSON.stringify(code)));`;
    expect(await node("reach.mjs", reach)).toBe("ERR_PACKAGE_PATH_NOT_EXPORTED");
  });

  test("starts servers for tests where testcontainers is not installed", async () => {
    await expect(access(join(folder, "node_modules/testcontainers"))).rejects.toThrow("ENOENT");
    const start = `import { startValkey } from "latchkey/testing";
      const notices = [];
      const server = await startValkey({ prefer: "container", onNotice: (line) => notices.push(line) });
      await server.stop();
      console.log(JSON.stringify({ kind: server.kind, notices }));`;
    expect(await node("start.mjs", start)).toEqual({
      kind: "local",
      notices: [expect.stringContaining("npm install --save-dev testcontainers")],
    });
  });
});

describe("a TypeScript project with the package", () => {
  const SAMPLE = `import { agent, connect, ConflictError, defineMachine, type Change } from "latchkey";
    import { manifest, scripts } from "latchkey/lua";
    import { startValkey } from "latchkey/testing";

    export async function sample(): Promise<Change> {
      await using server = await startValkey({ appendOnly: true });
      const latchkey = await connect({ url: server.url });
      const agents = await latchkey.machine(agent());
      const orders = await latchkey.machine(
        defineMachine({ name: "order", version: 1, initial: "open", states: { open: { to: ["paid"] }, paid: {} } }),
      );
      const paid = await orders.tryTransition("o-1", "paid", { set: { by: ["card"] } });
      if (!paid.ok && paid.error instanceof ConflictError) throw paid.error;
      const sha1: string = scripts.transition.sha1;
      for await (const { state } of agents.list({ state: "running" })) console.log(state, sha1, manifest.contract);
      // @ts-expect-error: a misspelt state
      await agents.transition("a1", "runing");
      const change = await agents.transition("a1", "running");
      // @ts-expect-error: states are what the machine says
      if (change.state === "paid") throw new Error();
      if ("opVersion" in change) throw new Error();
      return change as Change;
    }\n`;
  const COMMON = {
    strict: true,
    target: "es2022",
    lib: ["es2023", "esnext.disposable"],
    noEmit: true,
    types: ["node"],
  };

  test.each([
    ["sample.mts", { module: "nodenext" }],
    ["sample.cts", { module: "nodenext" }],
    ["sample.ts", { module: "esnext", moduleResolution: "bundler" }],
  ])("compiles %s, every declaration checked", async (name, options) => {
    await writeFile(join(folder, name), SAMPLE);
    const typeRoots = [join(root, "node_modules/@types")];
    const settings = { compilerOptions: { ...COMMON, ...options, typeRoots }, files: [name] };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(settings));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const { exit, stdout } = await tryRun(process.execPath, [tsc], { cwd: folder });
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: "" });
  });
});

describe("the installed command", () => {
  function npx(...args: string[]): Promise<string> {
    return run("npx", ["--no-install", "latchkey", ...args], { cwd: folder });
  }

  test("shows its help", async () => {
    expect(await npx("--help")).toContain("latchkey transition");
  });

  test("knows its version", async () => {
    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    expect((await npx("--version")).trim()).toBe(version);
  });

  test("does not install what it contains", async () => {
    await expect(access(join(folder, "node_modules/commander"))).rejects.toThrow("ENOENT");
    await access(join(folder, "node_modules/iovalkey"));
  });

  test("shows an entity", async () => {
    const { url } = await useValkey();
    const at = ["--url", url, "--namespace", freshNamespace()];
    await npx("apply", ...at);
    await npx("create", "a1", ...at);
    expect(await npx("get", "a1", "-o", "yaml", ...at)).toContain("state: spawning");
  });

  test("draws a machine file without a server", async () => {
    const machine = {
      name: "order",
      version: 1,
      initial: "open",
      states: { open: { to: ["paid"] }, paid: {} },
    };
    await writeFile(join(folder, "machine.yaml"), JSON.stringify(machine));
    expect(await npx("graph", "-f", "machine.yaml", "-o", "mermaid")).toContain("open --> paid");
  });
});
