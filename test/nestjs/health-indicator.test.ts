import { Controller, Get, Inject } from "@nestjs/common";
import {
  type HealthCheckResult,
  HealthCheckService,
  type HealthIndicatorResult,
  TerminusModule,
} from "@nestjs/terminus";
import { describe, expect, it, onTestFinished } from "vitest";
import { defineMachine } from "../../src/index.js";
import { LatchkeyHealthIndicator, LatchkeyModule } from "../../src/nestjs/index.js";
import { startValkey } from "../../src/testing/index.js";
import { connection } from "../helpers/calls.js";
import { client, rejection } from "../helpers/client.js";
import { startApp } from "../helpers/nest-app.js";
import { httpApp } from "../helpers/nest-http.js";
import { ownNamespace, startOrders } from "../helpers/nest-orders.js";
import { startProxy } from "../helpers/proxy.js";
import { useValkey } from "../helpers/valkey.js";

const job = defineMachine({
  name: "job",
  version: 1,
  initial: "queued",
  states: { queued: { to: ["expired"], timeout: { after: 1, to: "expired" } }, expired: {} },
});

describe("the health of a connection", () => {
  it("is up, with latency, role, overdue timers and the progress of reactions", async () => {
    const options = await ownNamespace();
    const app = await startApp({
      imports: [LatchkeyModule.forRoot(options), LatchkeyModule.forFeature([job])],
    });
    const jobs = await (await client(options)).machine(job);
    await (await jobs.react("audit", () => {})).close();
    await jobs.create("j1");
    const indicator = app.get(LatchkeyHealthIndicator);
    await expect
      .poll(() => indicator.isHealthy("jobs", { timeout: "10s" }))
      .toEqual({
        jobs: {
          status: "up",
          latencyMs: expect.any(Number),
          role: "primary",
          overdue: { job: 1 },
          reactions: { "job/audit": { lag: 1, pending: 0, deadLetters: 0 } },
        },
      });
  });

  it("is down if the server is unreachable, without its address, and up again afterwards", async () => {
    const proxy = await startProxy(await useValkey());
    const { namespace } = await ownNamespace();
    const { app } = await startOrders({ url: proxy.url, namespace }, []);
    const indicator = app.get(LatchkeyHealthIndicator);
    proxy.shut(true);
    proxy.cut();
    const { valkey } = await indicator.isHealthy("valkey", { timeout: 50 });
    expect(valkey).toMatchObject({ status: "down", message: expect.any(String) });
    expect(JSON.stringify(valkey)).not.toContain(String(proxy.port));
    proxy.shut(false);
    await expect
      .poll(() => indicator.isHealthy("valkey", { timeout: "10s" }))
      .toMatchObject({ valkey: { status: "up" } });
  });

  it("is down if the server is frozen: the check ends in time", async () => {
    const proxy = await startProxy(await useValkey());
    const { namespace } = await ownNamespace();
    const { app } = await startOrders({ url: proxy.url, namespace }, []);
    proxy.freeze(true);
    proxy.cut();
    expect(await app.get(LatchkeyHealthIndicator).isHealthy("valkey", { timeout: 50 })).toMatchObject({
      valkey: { status: "down" },
    });
  });

  it("is down if the server has become a replica", async () => {
    const server = await startValkey();
    onTestFinished(() => server.stop());
    const admin = await connection(undefined, server);
    const { app } = await startOrders({ url: server.url }, []);
    await admin.replicaof("127.0.0.1", 1);
    await expect
      .poll(() => app.get(LatchkeyHealthIndicator).isHealthy())
      .toEqual({
        latchkey: expect.objectContaining({
          status: "down",
          message: "the server is a replica",
          role: "replica",
        }),
      });
  });

  it("is down for an unknown connection and an invalid option, which are not thrown", async () => {
    const { app } = await startOrders(await ownNamespace(), []);
    const indicator = app.get(LatchkeyHealthIndicator);
    expect(await indicator.isHealthy("k", { connection: "other" })).toEqual({
      k: { status: "down", code: "BADARG", message: 'no connection is named "other"' },
    });
    expect(await indicator.isHealthy("k", { timeot: 1 } as object)).toMatchObject({
      k: { status: "down", code: "BADARG", message: expect.stringContaining('did you mean "timeout"') },
    });
  });

  it("is thrown if down, as Terminus 10 expects, with the option throws", async () => {
    const { app } = await startOrders(await ownNamespace(), []);
    const indicator = app.get(LatchkeyHealthIndicator);
    const error = await rejection(indicator.isHealthy("k", { connection: "other", throws: true }));
    expect(error).toMatchObject({ isHealthCheckError: true, causes: { k: { status: "down" } } });
    expect(await indicator.isHealthy("k", { throws: true, timeout: "30s" })).toMatchObject({
      k: { status: "up" },
    });
  });
});

it("Terminus answers 200 while the connection is up, and 503 with the details when it is down", async () => {
  @Controller()
  class HealthController {
    readonly health: HealthCheckService;
    readonly latchkey: LatchkeyHealthIndicator;

    constructor(
      @Inject(HealthCheckService) health: HealthCheckService,
      @Inject(LatchkeyHealthIndicator) latchkey: LatchkeyHealthIndicator,
    ) {
      this.health = health;
      this.latchkey = latchkey;
    }

    @Get()
    check(): Promise<HealthCheckResult> {
      const indicator = (): Promise<HealthIndicatorResult> =>
        this.latchkey.isHealthy("valkey", { timeout: "10s" });
      return this.health.check([indicator, () => this.latchkey.isHealthy("again", { timeout: "10s" })]);
    }
  }
  const server = await startValkey();
  onTestFinished(() => server.stop());
  const { url } = await httpApp({
    imports: [TerminusModule.forRoot({ logger: false }), LatchkeyModule.forRoot({ url: server.url })],
    controllers: [HealthController],
  });
  const up = await fetch(url);
  expect(up.status).toBe(200);
  expect(await up.json()).toMatchObject({
    status: "ok",
    details: { valkey: { status: "up", role: "primary" } },
  });
  await (await connection(undefined, server)).replicaof("127.0.0.1", 1);
  await expect.poll(async () => (await fetch(url)).status).toBe(503);
  expect(await (await fetch(url)).json()).toMatchObject({
    status: "error",
    error: { valkey: { status: "down" } },
  });
});
