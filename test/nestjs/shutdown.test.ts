import type { AddressInfo } from "node:net";
import {
  Controller,
  Get,
  type INestApplication,
  Inject,
  Injectable,
  type ModuleMetadata,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { Transport } from "@nestjs/microservices";
import { Test } from "@nestjs/testing";
import { Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import { agent, defineMachine, type HandlerContext, type Latchkey } from "../../src/index.js";
import {
  AgentLifecycleService,
  type EntitiesOf,
  getEntitiesToken,
  InjectLatchkey,
  LatchkeyModule,
  type LatchkeyModuleOptions,
} from "../../src/nestjs/index.js";
import { LatchkeyRegistry } from "../../src/nestjs/registry.js";
import { client } from "../helpers/client.js";
import { connectionsNamed, expectNoConnection, recordingNestLogger, startApp } from "../helpers/nest-app.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const machine = agent();

async function root(options: LatchkeyModuleOptions = {}) {
  const { url } = await useValkey();
  const namespace = freshNamespace();
  const all = { url, namespace, connectionName: namespace, ...options };
  return { namespace, imports: [LatchkeyModule.forRoot(all), LatchkeyModule.forFeature([machine])] };
}

/** A promise, and what settles it. */
function gate() {
  let open = (): void => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, passed };
}

/** Starts an application with one running handler, which ends as `handle` does. */
async function withHandler(
  handle: (context: HandlerContext) => Promise<void>,
  options: LatchkeyModuleOptions = {},
  metadata: ModuleMetadata = {},
) {
  const { lines, logger } = recordingNestLogger();
  const { namespace, imports } = await root(options);
  const app = await startApp({ ...metadata, imports }, { logger });
  const agents: EntitiesOf<typeof machine> = app.get(getEntitiesToken(machine));
  const stopping = new AbortController();
  const started = gate();
  const work = async (_change: unknown, context: HandlerContext): Promise<void> => {
    started.open();
    await handle(context);
  };
  const reaction = await agents.react("work", work, { signal: stopping.signal });
  app.get(LatchkeyRegistry).add("default", "reaction work", {
    ended: reaction.closed,
    stop: () => reaction.close(),
    abort: (reason) => stopping.abort(reason),
  });
  await agents.create("a1");
  await started.passed;
  return { app, agents, namespace, lines };
}

it("sweeps from bootstrap to shutdown", async () => {
  const order = defineMachine({
    name: "order",
    version: 1,
    initial: "open",
    states: { open: { to: ["late"], timeout: { after: 1, to: "late" } }, late: {} },
  });
  const { namespace, imports } = await root({ sweep: { interval: 1 } });
  const app = await startApp({ imports: [...imports, LatchkeyModule.forFeature([order])] });
  const registry = app.get(LatchkeyRegistry);
  expect(registry.work).toEqual([{ connection: "default", name: "sweep", state: "running" }]);
  const orders: EntitiesOf<typeof order> = app.get(getEntitiesToken(order));
  await orders.create("o1");
  await expect.poll(async () => (await orders.get("o1"))?.state).toBe("late");
  await app.close();
  expect(registry.work).toEqual([{ connection: "default", name: "sweep", state: "stopped" }]);
  const later = await (await client({ namespace })).machine(order);
  await later.create("o2");
  expect((await later.get("o2"))?.state).toBe("open");
});

it("logs as fatal that the sweep ended with an error, and keeps it in the list of work", async () => {
  const { host, port } = await useValkey();
  const own = new Valkey({ host, port, lazyConnect: true, retryStrategy: () => null });
  await own.connect();
  const { lines, logger } = recordingNestLogger();
  const options = { client: own, namespace: freshNamespace(), sweep: { interval: 1 } };
  const app = await startApp({ imports: [LatchkeyModule.forRoot(options)] }, { logger });
  own.disconnect();
  await expect.poll(() => lines.join("\n")).toMatch(/fatal \[Latchkey\] sweep ended: .*not connected/);
  const [sweep] = app.get(LatchkeyRegistry).work;
  expect(sweep).toMatchObject({ name: "sweep", state: "failed", error: { code: "NOTEXECUTED" } });
});

it("waits for a running handler, which can still use the connection, and closes then", async () => {
  const release = gate();
  const { app, agents, namespace } = await withHandler(async () => {
    await release.passed;
    await agents.transition("a1", "running");
  });
  const events: string[] = [];
  const closing = app.close().then(() => events.push("closed"));
  await expect(agents.get("a1")).resolves.toMatchObject({ state: "spawning" });
  events.push("released");
  release.open();
  await closing;
  expect(events).toEqual(["released", "closed"]);
  await expectNoConnection(namespace);
  const later = await (await client({ namespace })).machine(machine);
  expect((await later.get("a1"))?.state).toBe("running");
  expect((await later.reactions())[0]).toMatchObject({ pending: 0 });
});

it("aborts a handler after shutdownTimeout, and leaves its event to other replicas", async () => {
  const { app, namespace, lines } = await withHandler(
    ({ signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
    { shutdownTimeout: 1 },
  );
  await app.close();
  expect(lines.join("\n")).toContain("warn [Latchkey] handlers still run after shutdownTimeout");
  const later = await (await client({ namespace })).machine(machine);
  const handled = gate();
  const reaction = await later.react("work", async (_change, { attempt }) => {
    expect(attempt).toBe(1);
    handled.open();
  });
  await handled.passed;
  await reaction.close();
});

it("closes although a handler ignores its signal", async () => {
  const { app, namespace, lines } = await withHandler(() => new Promise(() => {}), { shutdownTimeout: 1 });
  await app.close();
  expect(lines.join("\n")).toContain("a handler ignores its signal");
  await expectNoConnection(namespace);
});

it("closes the connection after the hooks of the modules that use it", async () => {
  const seen: string[] = [];
  @Injectable()
  class Last implements OnModuleDestroy, OnApplicationShutdown {
    readonly latchkey: Latchkey;
    constructor(@InjectLatchkey() latchkey: Latchkey) {
      this.latchkey = latchkey;
    }
    async onModuleDestroy() {
      await this.latchkey.ping();
      seen.push("destroy");
    }
    async onApplicationShutdown() {
      await this.latchkey.ping();
      seen.push("shutdown");
    }
  }
  const { imports } = await root();
  const app = await startApp({ imports, providers: [Last] });
  await app.close();
  expect(seen).toEqual(["destroy", "shutdown"]);
});

it("closes on a signal after enableShutdownHooks", async () => {
  const { namespace, imports } = await root({ sweep: true });
  const app = await startApp({ imports });
  app.enableShutdownHooks(["SIGURG"]); // Nest sends the signal again at the end; the system ignores this one
  expect(await connectionsNamed(namespace)).toBe(1);
  process.emit("SIGURG", "SIGURG");
  await expectNoConnection(namespace);
});

it("closes an application that was never initialised", async () => {
  const { namespace, imports } = await root({ sweep: true });
  const app = await Test.createTestingModule({ imports }).setLogger(recordingNestLogger().logger).compile();
  expect(await connectionsNamed(namespace)).toBe(1);
  await app.close();
  await expectNoConnection(namespace);
});

it("closes an application context of NestFactory", async () => {
  const { namespace, imports } = await root({ agents: true });
  const app = await NestFactory.createApplicationContext(
    { module: class AppModule {}, imports },
    { logger: false },
  );
  await app.get(AgentLifecycleService).registerSpawnedAgent("a1", "t1");
  await app.close();
  await expectNoConnection(namespace);
});

it("serves the requests of a hybrid application until they end, then closes", async () => {
  const [entered, release] = [gate(), gate()];
  @Controller()
  class AgentController {
    readonly agents: EntitiesOf<typeof machine>;
    constructor(@Inject(getEntitiesToken(machine)) agents: EntitiesOf<typeof machine>) {
      this.agents = agents;
    }
    @Get()
    async create() {
      entered.open();
      await release.passed;
      return { version: (await this.agents.create("a1")).version };
    }
  }
  const { namespace, imports } = await root({ sweep: true });
  const AppModule = { module: class AppModule {}, imports, controllers: [AgentController] };
  const app: INestApplication = await NestFactory.create(AppModule, { logger: false });
  onTestFinished(() => app.close());
  app.connectMicroservice({ transport: Transport.TCP, options: { port: 0 } });
  await app.startAllMicroservices();
  await app.listen(0, "127.0.0.1");
  const { port } = app.getHttpServer().address() as AddressInfo;
  const response = fetch(`http://127.0.0.1:${port}`, { headers: { connection: "close" } });
  await entered.passed;
  const closing = app.close();
  release.open();
  expect(await (await response).json()).toEqual({ version: 1 });
  await closing;
  await expectNoConnection(namespace);
});
