import { EventEmitter } from "node:events";
import { Controller, type Type } from "@nestjs/common";
import { APP_FILTER, HttpAdapterHost } from "@nestjs/core";
import { ExecutionContextHost } from "@nestjs/core/helpers/execution-context-host.js";
import {
  ClientProxyFactory,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
  Transport,
} from "@nestjs/microservices";
import { Test } from "@nestjs/testing";
import { firstValueFrom } from "rxjs";
import { describe, expect, it, onTestFinished } from "vitest";
import { NotExecutedError } from "../../src/index.js";
import { LatchkeyExceptionFilter, LatchkeyRpcExceptionFilter } from "../../src/nestjs/index.js";
import { freePort } from "../../src/server/port.js";
import { agents, rejection } from "../helpers/client.js";
import { recordingNestLogger } from "../helpers/nest-app.js";
import { httpApp } from "../helpers/nest-http.js";

/** Makes a controller of messages, each of which does some work. */
function messagesOf(works: Readonly<Record<string, () => unknown>>): Type {
  @Controller()
  class Messages {
    @MessagePattern("work")
    async run(@Payload() name: string): Promise<unknown> {
      return works[name]?.();
    }
  }
  return Messages;
}

async function transport() {
  return { transport: Transport.TCP, options: { host: "127.0.0.1", port: await freePort() } } as const;
}

/** Sends a message, and returns the failure that its sender gets. */
async function failureOf(service: MicroserviceOptions, name: string): Promise<unknown> {
  const proxy = ClientProxyFactory.create(service as Awaited<ReturnType<typeof transport>>);
  onTestFinished(() => proxy.close());
  return firstValueFrom(proxy.send("work", name)).then(
    (answer: unknown) => expect.fail(`an answer: ${answer}`),
    (error: unknown) => error,
  );
}

describe("a message that fails", () => {
  it("with an error of latchkey is answered with its code; other errors are left to Nest", async () => {
    const list = await agents();
    const works = {
      missing: () => list.transition("a1", "running"),
      down: () => Promise.reject(new NotExecutedError("not connected to valkey://10.9.8.7", "")),
      bug: () => Promise.reject(new Error("a secret")),
    };
    const service = await transport();
    const { lines, logger } = recordingNestLogger();
    const module = await Test.createTestingModule({ controllers: [messagesOf(works)] })
      .setLogger(logger)
      .compile();
    const app = module.createNestMicroservice<MicroserviceOptions>(service);
    onTestFinished(() => app.close());
    app.useGlobalFilters(new LatchkeyRpcExceptionFilter({ current: false }));
    await app.listen();
    expect(await failureOf(service, "missing")).toEqual({
      status: "error",
      statusCode: 404,
      code: "NOTFOUND",
      message: (await rejection(works.missing())).message,
    });
    expect(await failureOf(service, "down")).toMatchObject({ statusCode: 503, code: "NOTEXECUTED" });
    expect(lines).toContainEqual(expect.stringContaining("not connected to valkey://10.9.8.7"));
    expect(await failureOf(service, "bug")).toEqual({ status: "error", message: "Internal server error" });
  });

  it("in a hybrid application is answered by the filter for HTTP", async () => {
    const list = await agents();
    const service = await transport();
    await httpApp(
      {
        controllers: [messagesOf({ missing: () => list.transition("a1", "running") })],
        providers: [{ provide: APP_FILTER, useClass: LatchkeyExceptionFilter }],
      },
      async (app) => {
        app.connectMicroservice<MicroserviceOptions>(service, { inheritAppConfig: true });
        await app.startAllMicroservices();
      },
    );
    expect(await failureOf(service, "missing")).toMatchObject({
      status: "error",
      statusCode: 404,
      code: "NOTFOUND",
      current: null,
    });
  });
});

describe("in other contexts, the filter for HTTP", () => {
  const error = new NotExecutedError("not connected", "");

  it("emits the error of a gateway to its client", () => {
    const socket = new EventEmitter();
    const heard: unknown[] = [];
    socket.on("exception", (body) => heard.push(body));
    const host = new ExecutionContextHost([socket, {}]);
    host.setType("ws");
    expect(new LatchkeyExceptionFilter(new HttpAdapterHost()).catch(error, host)).toBeUndefined();
    expect(heard).toEqual([
      expect.objectContaining({ status: "error", code: "NOTEXECUTED", statusCode: 503 }),
    ]);
  });

  it("returns the error of a resolver, which GraphQL reports", () => {
    const host = new ExecutionContextHost([]);
    host.setType("graphql");
    expect(new LatchkeyExceptionFilter(new HttpAdapterHost()).catch(error, host)).toBe(error);
  });
});
