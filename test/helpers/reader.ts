import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parse as parseYaml } from "yaml";
import type { TestServer } from "../../src/testing/index.js";
import { built, root } from "./built.js";
import { comparableJson, comparableLines, firstDifference } from "./output.js";
import { type Ended, tryRun } from "./run.js";
import type { Snippet } from "./snippets.js";

const TSC = join(root, "node_modules/typescript/bin/tsc");
const SETTINGS = {
  compilerOptions: {
    strict: true,
    target: "es2022",
    module: "nodenext",
    types: ["node"],
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    skipLibCheck: true,
    outDir: "built",
    rootDir: ".",
  },
  include: ["*.ts"],
};

type Address = Pick<TestServer, "url" | "host" | "port">;

/** The packages of a NestJS application. */
const NEST = ["@nestjs", "reflect-metadata", "rxjs"];

/**
 * Somebody who follows a document step by step: a project of their own with latchkey installed, `latchkey` on PATH, and a
 * server that nobody else uses.
 */
export class Reader {
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #address: string;

  constructor(folder: string, server: Address, env: NodeJS.ProcessEnv = {}) {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(LATCHKEY|VALKEY|REDIS)_/.test(name));
    const PATH = `${join(folder, "node_modules/.bin")}:${process.env.PATH}`;
    this.#folder = folder;
    this.#env = { ...Object.fromEntries(inherited), PATH, NO_COLOR: "1", VALKEY_URL: server.url, ...env };
    this.#address = `${server.host}:${server.port}`;
  }

  /** Sets the project up in an empty folder and compiles the document's TypeScript. */
  static async open(
    folder: string,
    server: Address,
    document: readonly Snippet[],
    env?: NodeJS.ProcessEnv,
  ): Promise<Reader> {
    await built();
    const { dependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    await mkdir(join(folder, "node_modules/.bin"), { recursive: true });
    await symlink(root, join(folder, "node_modules/latchkey"));
    await symlink("../latchkey/bin/latchkey.js", join(folder, "node_modules/.bin/latchkey"));
    for (const name of ["@types", ...NEST, ...Object.keys(dependencies)]) {
      await symlink(join(root, "node_modules", name), join(folder, "node_modules", name));
    }
    await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(SETTINGS));
    const reader = new Reader(folder, server, env);
    const modules = document.filter(({ language }) => language === "ts");
    // Programs may import modules that the document shows as files.
    for (const module of modules) if (module.check.kind === "file") await reader.follow(module);
    await reader.#compile(modules.filter(({ check }) => check.kind === "test"));
    return reader;
  }

  readonly #typeErrors = new Map<string, string>();

  async #compile(modules: readonly Snippet[]): Promise<void> {
    if (modules.length === 0) return;
    for (const { line, text } of modules) {
      await writeFile(join(this.#folder, `${moduleName(line)}.ts`), this.#here(text));
    }
    const { stdout } = await tryRun(process.execPath, [TSC], { cwd: this.#folder });
    for (const error of stdout.split(/\n(?=\S)/)) {
      const name = /^([^(]+)\.ts\(/.exec(error)?.[1] ?? "";
      if (error.trim() !== "") this.#typeErrors.set(name, (this.#typeErrors.get(name) ?? "") + error);
    }
  }

  /**
   * Checks a block as its hint requires.
   *
   * @throws Error with the difference
   */
  async follow(snippet: Snippet): Promise<void> {
    const { check, text, language } = snippet;
    if (check.kind === "wrong") throw new Error(check.problem);
    if (check.kind === "file") {
      const path = join(this.#folder, check.name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, this.#here(text));
    } else if (check.kind === "test") {
      await this.#test(snippet, check.exit);
    } else if (check.kind === "none") {
      throw new Error(
        `a ${language || "plain"} block without a hint: write ${language || "text"} test, or skip="why"`,
      );
    }
  }

  async #test(snippet: Snippet, wanted: number): Promise<void> {
    if (snippet.language === "json") return void JSON.parse(snippet.text);
    if (snippet.language === "yaml") return void parseYaml(snippet.text);
    const { exit, stdout, stderr } = await this.#run(snippet);
    const printed = stdout + stderr;
    if (exit !== wanted) throw new Error(`ended with ${exit} instead of ${wanted}:\n${printed}`);
    const { prints } = snippet;
    if (prints === undefined) return;
    const difference =
      prints.language === "text"
        ? firstDifference(comparableLines(prints.text), comparableLines(printed))
        : firstDifference(jsonLines(prints.text), jsonLines(printed));
    if (difference !== undefined)
      throw new Error(`prints something else.\n${difference}\nin full:\n${printed}`);
  }

  #run({ language, text, line }: Snippet): Promise<Ended> {
    const options = { cwd: this.#folder, env: this.#env, timeout: 600_000 };
    if (language === "bash") return tryRun("bash", ["-c", this.#commands(text, line)], options);
    if (language === "python") return tryRun("python3", ["-c", this.#here(text)], options);
    if (language !== "ts")
      throw new Error(`there is no way to run ${language || "a plain block"}; use skip="why"`);
    const wrong = this.#typeErrors.get(moduleName(line)) ?? this.#typeErrors.get("");
    if (wrong !== undefined) throw new Error(`does not compile:\n${wrong}`);
    return tryRun(process.execPath, [`built/${moduleName(line)}.js`], options);
  }

  /** A shell that stops at the first command that fails and prints it. */
  #commands(text: string, line: number): string {
    const says = `echo "line $((LINENO + ${line - 3})): exit $? of: $BASH_COMMAND"`;
    return `exec 2>&1; set -Eeuo pipefail; trap '${says}' ERR\n\n${this.#here(text)}`;
  }

  /**
   * The text with this reader's server where the document has the usual one. Imports get the ending that ES modules need;
   * projects of NestJS are mostly CommonJS, where the document leaves it out.
   */
  #here(text: string): string {
    return text
      .replace(/(?:localhost|127\.0\.0\.1):6379/g, this.#address)
      .replace(/ from "(\.\/[^"]+?)(?:\.js)?";$/gm, ' from "$1.js";');
  }
}

function moduleName(line: number): string {
  return `line-${line}`;
}

function jsonLines(text: string): string[] {
  return comparableJson(text)
    .map((value) => JSON.stringify(value, null, 2))
    .flatMap((json) => json.split("\n"));
}
