import "reflect-metadata";
import type { AddressInfo } from "node:net";
import { Controller, Get, type INestApplication, type ModuleMetadata } from "@nestjs/common";
import { Test } from "@nestjs/testing";
import { onTestFinished } from "vitest";
import { recordingNestLogger } from "./nest-app.js";

/** Starts an HTTP application, which is closed with the test. */
export async function httpApp(
  metadata: ModuleMetadata,
  configure: (app: INestApplication) => unknown = () => {},
): Promise<{ readonly app: INestApplication; readonly url: string; readonly lines: readonly string[] }> {
  const { lines, logger } = recordingNestLogger();
  const module = await Test.createTestingModule(metadata).setLogger(logger).compile();
  const app = module.createNestApplication();
  onTestFinished(() => app.close());
  await configure(app);
  await app.listen(0, "127.0.0.1");
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, url: `http://127.0.0.1:${port}`, lines };
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
