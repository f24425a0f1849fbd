import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { root } from "./built.js";
import { npm, pack } from "./packed.js";
import { run } from "./run.js";

/** Folder of the example's sources. */
export const EXAMPLE = join(root, "examples/nestjs-orchestrator");

/** Installs the packed package, and all else that the example needs, into a folder. */
export async function installExample(folder: string): Promise<void> {
  const { tarball } = await pack(folder);
  await cp(join(EXAMPLE, "package.json"), join(folder, "package.json"));
  await npm(folder, "install", "--prefer-offline", "--no-audit", "--no-fund", tarball);
}

/**
 * Builds the example with the compiler that is installed in a folder.
 *
 * @param undo the diffs of its history to undo first, the newest one first
 * @returns the folder of the built application
 */
export async function buildExample(
  folder: string,
  name: string,
  undo: readonly string[] = [],
): Promise<string> {
  const app = join(folder, name);
  await cp(EXAMPLE, app, { recursive: true });
  for (const diff of undo) await run("git", ["apply", "--reverse", join("history", diff)], { cwd: app });
  await npm(app, "run", "build");
  return app;
}

/** Status and body of a response. */
export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: what the application sends
  readonly body: any;
}

/** A process of the built example, with a port of its own. */
export class Replica {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #chunks: string[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, "exit");
    for (const stream of [child.stdout, child.stderr])
      stream?.on("data", (chunk) => this.#chunks.push(String(chunk)));
  }

  /** Starts a process that ends with the test, and waits until it takes requests. */
  static async start(app: string, env: NodeJS.ProcessEnv): Promise<Replica> {
    const child = spawn(process.execPath, ["dist/main"], {
      cwd: app,
      env: { ...process.env, PORT: "0", NO_COLOR: "1", ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const replica = new Replica(child);
    onTestFinished(() => replica.end("SIGKILL"));
    await expect.poll(() => replica.output, { timeout: 120_000 }).toContain("Listening on");
    return replica;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** All that it has printed. */
  get output(): string {
    return this.#chunks.join("");
  }

  /** Sends a request of the user ann. */
  async call(method: "GET" | "POST", path: string, body: object = {}): Promise<Answer> {
    const port = /Listening on http:\S+:(\d+)/.exec(this.output)?.[1];
    const response = await fetch(`http://localhost:${port}${path}`, {
      method,
      headers: { "content-type": "application/json", "x-user": "ann" },
      ...(method === "POST" && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  }

  /** Sends a signal, and waits until the process has ended. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.#child.kill(signal);
    await this.#exited;
  }
}
