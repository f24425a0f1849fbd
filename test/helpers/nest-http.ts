import "reflect-metadata";
import type { AddressInfo } from "node:net";
import {
  Controller,
  Get,
  type INestApplication,
  type LoggerService,
  type ModuleMetadata,
} from "@nestjs/common";
import { Test, type TestingModule } from "@nestjs/testing";
import { onTestFinished } from "vitest";
import { freshNamespace, useValkey } from "./valkey.js";

/** A line that Nest's Logger wrote. */
export interface LogLine {
  readonly level: string;
  readonly text: string;
}

/** Keeps the lines of Nest's Logger instead of printing them. */
export function logLines(): { readonly lines: LogLine[]; readonly logger: LoggerService } {
  const lines: LogLine[] = [];
  const add =
    (level: string) =>
    (text: unknown): void =>
      void lines.push({ level, text: String(text) });
  const [log, error, warn, debug, verbose, fatal] = ["log", "error", "warn", "debug", "verbose", "fatal"].map(
    add,
  );
  return { lines, logger: { log, error, warn, debug, verbose, fatal } as LoggerService };
}

/** Starts an HTTP application, which is closed with the test. */
export async function httpApp(
  metadata: ModuleMetadata,
  configure: (app: INestApplication) => unknown = () => {},
): Promise<{ readonly app: INestApplication; readonly url: string; readonly lines: readonly LogLine[] }> {
  const { lines, logger } = logLines();
  const module = await Test.createTestingModule(metadata).setLogger(logger).compile();
  const app = module.createNestApplication();
  onTestFinished(() => app.close());
  await configure(app);
  await app.listen(0, "127.0.0.1");
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, url: `http://127.0.0.1:${port}`, lines };
}

/** Starts an application without a server, which is closed with the test. */
export async function nestApp(metadata: ModuleMetadata): Promise<{
  readonly app: TestingModule;
  readonly lines: readonly LogLine[];
}> {
  const { lines, logger } = logLines();
  const app = await Test.createTestingModule(metadata).setLogger(logger).compile();
  onTestFinished(() => app.close());
  await app.init();
  return { app, lines };
}

/** Options of a connection to a namespace of its own. */
export async function namespaceOf(): Promise<{ readonly url: string; readonly namespace: string }> {
  const { url } = await useValkey();
  return { url, namespace: freshNamespace() };
}

/** Makes a controller whose only route does some work. */
export function controllerOf(work: () => unknown) {
  @Controller()
  class Work {
    @Get()
    run(): unknown {
      return work();
    }
  }
  return Work;
}
