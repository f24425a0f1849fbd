import { Injectable, Module } from "@nestjs/common";
import { Valkey } from "iovalkey";
import { describe, expect, it, onTestFinished } from "vitest";
import { agent, defineMachine, type Latchkey } from "../../src/index.js";
import {
  type EntitiesOf,
  getEntitiesToken,
  getLatchkeyToken,
  InjectEntities,
  InjectLatchkey,
  LatchkeyModule,
  type LatchkeyOptionsFactory,
} from "../../src/nestjs/index.js";
import { admin } from "../helpers/calls.js";
import { client } from "../helpers/client.js";
import { recordingNestLogger, startApp } from "../helpers/nest-app.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const order = defineMachine({
  name: "order",
  version: 1,
  initial: "open",
  states: { open: { to: ["paid"] }, paid: {} },
});

@Injectable()
class OrderService {
  readonly latchkey: Latchkey;
  readonly orders: EntitiesOf<typeof order>;

  constructor(@InjectLatchkey() latchkey: Latchkey, @InjectEntities(order) orders: EntitiesOf<typeof order>) {
    this.latchkey = latchkey;
    this.orders = orders;
  }
}

@Module({ imports: [LatchkeyModule.forFeature([order])], providers: [OrderService], exports: [OrderService] })
class OrderModule {}

const settings = async () => ({ url: (await useValkey()).url, namespace: freshNamespace() });

describe("forRoot", () => {
  it("opens a connection that all modules can inject, and closes it with the application", async () => {
    const options = await settings();
    const app = await startApp({ imports: [LatchkeyModule.forRoot(options), OrderModule] });
    const { latchkey, orders } = app.get(OrderService);
    expect(latchkey.namespace).toBe(options.namespace);
    await orders.create("o1");
    expect((await orders.transition("o1", "paid")).state).toBe("paid");
    await app.close();
    await expect(latchkey.ping()).rejects.toMatchObject({ code: "CLOSED" });
    await app.close();
  });

  it("opens any number of named connections", async () => {
    const [main, archive] = [await settings(), await settings()];
    const app = await startApp({
      imports: [
        LatchkeyModule.forRoot(main),
        LatchkeyModule.forRoot({ ...archive, connection: "archive" }),
        LatchkeyModule.forFeature([order]),
        LatchkeyModule.forFeature([order], "archive"),
      ],
    });
    const namespaces = [undefined, "default", "archive"].map(
      (name) => app.get<Latchkey>(getLatchkeyToken(name)).namespace,
    );
    expect(namespaces).toEqual([main.namespace, main.namespace, archive.namespace]);
    const archived: EntitiesOf<typeof order> = app.get(getEntitiesToken(order, "archive"));
    await archived.create("o1");
    const current: EntitiesOf<typeof order> = app.get(getEntitiesToken("order"));
    expect([await current.get("o1"), (await archived.get("o1"))?.state]).toEqual([null, "open"]);
  });

  it("leaves a client of the caller open", async () => {
    const { host, port } = await useValkey();
    const own = new Valkey({ host, port, lazyConnect: true });
    onTestFinished(() => own.disconnect());
    await own.connect();
    const app = await startApp({
      imports: [LatchkeyModule.forRoot({ client: own, namespace: freshNamespace() }), OrderModule],
    });
    await app.get(OrderService).orders.create("o1");
    await app.close();
    expect(await own.ping()).toBe("PONG");
  });

  it("logs with Nest's Logger: changes as debug, problems as warnings", async () => {
    const { lines, logger } = recordingNestLogger();
    const app = await startApp(
      { imports: [LatchkeyModule.forRoot(await settings()), OrderModule] },
      { logger },
    );
    const { orders } = app.get(OrderService);
    await orders.create("o1");
    expect(lines.filter((line) => line.includes("[Latchkey]"))).toEqual([
      expect.stringMatching(/^debug \[Latchkey\] create \{.*"id":"o1"/),
    ]);
    await (await admin()).call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await expect.poll(() => lines.join("\n")).toContain("warn [Latchkey] connection lost, connecting again");
    await expect.poll(() => lines.join("\n")).toContain("debug [Latchkey] connected again");
  });

  it("logs with the logger of the caller instead", async () => {
    const { lines, logger } = recordingNestLogger();
    const own: string[] = [];
    const write = (_fields: object, message: string): void => void own.push(message);
    const options = {
      ...(await settings()),
      logger: { debug: write, info: write, warn: write, error: write },
    };
    const app = await startApp({ imports: [LatchkeyModule.forRoot(options), OrderModule] }, { logger });
    await app.get(OrderService).orders.create("o1");
    expect(own).toEqual(["create"]);
    expect(lines.filter((line) => line.includes("[Latchkey]"))).toEqual([]);
  });

  it("shows a connection that is not global only to modules that import it", async () => {
    const root = LatchkeyModule.forRoot({ ...(await settings()), isGlobal: false });
    @Injectable()
    class Reader {
      readonly latchkey: Latchkey;
      constructor(@InjectLatchkey() latchkey: Latchkey) {
        this.latchkey = latchkey;
      }
    }
    @Module({ providers: [Reader] })
    class Outside {}
    @Module({ imports: [root], providers: [Reader] })
    class Inside {}
    const app = await startApp({ imports: [root, Inside] });
    expect(app.get(Reader).latchkey).toBe(app.get(getLatchkeyToken()));
    await expect(startApp({ imports: [root, Outside] })).rejects.toThrow(
      /can't resolve dependencies of the Reader/,
    );
  });
});

describe("forRootAsync", () => {
  it("takes its settings from a factory with injected providers", async () => {
    const options = await settings();
    @Module({ providers: [{ provide: "CONFIG", useValue: options }], exports: ["CONFIG"] })
    class ConfigModule {}
    const root = LatchkeyModule.forRootAsync({
      imports: [ConfigModule],
      inject: ["CONFIG", { token: "ABSENT", optional: true }],
      useFactory: async (config: typeof options, absent?: unknown) => {
        expect(absent).toBeUndefined();
        return config;
      },
    });
    const app = await startApp({ imports: [root, OrderModule] });
    expect(app.get(OrderService).latchkey.namespace).toBe(options.namespace);
  });

  it.each(["useClass", "useExisting"] as const)("takes its settings from a class: %s", async (way) => {
    const options = await settings();
    @Injectable()
    class Settings implements LatchkeyOptionsFactory {
      createLatchkeyOptions() {
        return options;
      }
    }
    @Module({ providers: [Settings], exports: [Settings] })
    class SettingsModule {}
    const root = LatchkeyModule.forRootAsync({
      connection: "orders",
      ...(way === "useClass" ? { useClass: Settings } : { imports: [SettingsModule], useExisting: Settings }),
    });
    const app = await startApp({ imports: [root] });
    expect(app.get<Latchkey>(getLatchkeyToken("orders")).namespace).toBe(options.namespace);
  });
});

describe("forFeature", () => {
  it("applies a machine once, however many modules name it", async () => {
    const options = await settings();
    @Module({ imports: [LatchkeyModule.forFeature([agent(), order])], exports: [LatchkeyModule] })
    class Second {}
    const app = await startApp({ imports: [Second, LatchkeyModule.forRoot(options), OrderModule] });
    const all = app.get(getEntitiesToken(order), { each: true, strict: false });
    expect(all).toHaveLength(2);
    expect(new Set(all).size).toBe(1);
    const latchkey = await client({ namespace: options.namespace });
    expect(await latchkey.machines()).toEqual(["agent", "order"]);
  });

  it("leaves a newer version of a machine in place, as in a rolling deployment", async () => {
    const options = await settings();
    const latchkey = await client({ namespace: options.namespace });
    await latchkey.apply({ ...order, version: 2, history: 20 });
    const app = await startApp({ imports: [LatchkeyModule.forRoot(options), OrderModule] });
    expect(app.get(OrderService).orders.definition.version).toBe(2);
  });

  it("gives tests a token to override, without a connection", async () => {
    const orders = { name: "a double" };
    const app = await startApp(
      { imports: [LatchkeyModule.forRoot({ url: "valkey://127.0.0.1:1" }), OrderModule] },
      {
        change: (builder) =>
          builder
            .overrideProvider(getLatchkeyToken())
            .useValue({})
            .overrideProvider(getEntitiesToken(order))
            .useValue(orders),
      },
    );
    expect(app.get(OrderService).orders).toBe(orders);
  });
});
