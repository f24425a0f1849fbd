import "reflect-metadata";
import type { INestApplicationContext, LoggerService, ModuleMetadata } from "@nestjs/common";
import { Test, type TestingModuleBuilder } from "@nestjs/testing";
import { expect, onTestFinished } from "vitest";
import { admin } from "./calls.js";

/** Keeps the lines that an application logs, as `LEVEL [context] message`. */
export function recordingNestLogger(): { readonly lines: string[]; readonly logger: LoggerService } {
  const lines: string[] = [];
  const write =
    (level: string) =>
    (message: unknown, ...rest: unknown[]): void =>
      void lines.push(`${level} [${rest.at(-1)}] ${message}`);
  return {
    lines,
    logger: {
      log: write("log"),
      error: write("error"),
      warn: write("warn"),
      debug: write("debug"),
      verbose: write("verbose"),
      fatal: write("fatal"),
    },
  };
}

const SILENT = recordingNestLogger().logger;

/** Starts an application, closed when the test has finished. */
export async function startApp(
  metadata: ModuleMetadata,
  {
    logger = SILENT,
    change = (builder) => builder,
  }: {
    readonly logger?: LoggerService;
    readonly change?: (builder: TestingModuleBuilder) => TestingModuleBuilder;
  } = {},
): Promise<INestApplicationContext> {
  const builder = Test.createTestingModule(metadata).setLogger(logger);
  const app = await change(builder).compile();
  onTestFinished(() => app.close().catch(() => {})); // rejected if the test made its startup fail
  return app.init();
}

/** Counts the connections of a name on the server of the tests. */
export async function connectionsNamed(name: string): Promise<number> {
  const list = String(await (await admin()).call("CLIENT", "LIST"));
  return list.split("\n").filter((line) => line.includes(` name=${name} `)).length;
}

/** Waits until the server has no connection of a name. */
export async function expectNoConnection(name: string): Promise<void> {
  await expect.poll(() => connectionsNamed(name)).toBe(0);
}
