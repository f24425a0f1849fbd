import "reflect-metadata";
import { Injectable, Module } from "@nestjs/common";
import { Test } from "@nestjs/testing";
import { describe, expect, it } from "vitest";
import { agent, defineMachine, type Latchkey } from "../../src/index.js";
import {
  type EntitiesOf,
  getEntitiesToken,
  getLatchkeyToken,
  InjectEntities,
  LatchkeyModule,
} from "../../src/nestjs/index.js";
import { LatchkeyTestingModule } from "../../src/nestjs/testing/index.js";
import { fakeEntities } from "../../src/testing/index.js";
import { sharedServerUrl } from "../../src/testing/shared-server.js";
import { connection } from "../helpers/calls.js";

const order = defineMachine({
  name: "order",
  version: 1,
  initial: "open",
  states: { open: { to: ["paid"] }, paid: {} },
});

@Injectable()
class OrderService {
  readonly orders: EntitiesOf<typeof order>;

  constructor(@InjectEntities(order) orders: EntitiesOf<typeof order>) {
    this.orders = orders;
  }

  async pay(id: string): Promise<string> {
    await this.orders.create(id);
    return (await this.orders.transition(id, "paid")).state;
  }
}

const imports = [LatchkeyTestingModule.forRoot(), LatchkeyTestingModule.forFeature([order, agent()])];

async function start() {
  const app = await Test.createTestingModule({ imports, providers: [OrderService] }).compile();
  return app.init();
}

/** Lists the keys of a namespace on the shared server. */
async function keysOf(namespace: string): Promise<string[]> {
  const { hostname: host, port } = new URL(await sharedServerUrl());
  const valkey = await connection(undefined, { host, port: Number(port) });
  return valkey.keys(`*${namespace}*`);
}

describe("LatchkeyTestingModule", () => {
  it("gives each application a namespace of its own, and removes its keys when the application closes", async () => {
    const [one, other] = await Promise.all([start(), start()]);
    const [first, second] = [one, other].map((app) => app.get<Latchkey>(getLatchkeyToken()));
    if (first === undefined || second === undefined) throw new Error("no connection");
    expect(await one.get(OrderService).pay("o1")).toBe("paid");
    expect(await other.get(OrderService).pay("o1")).toBe("paid");
    expect(first.namespace).not.toBe(second.namespace);
    expect(first.address).toBe(second.address);
    expect(await keysOf(first.namespace)).not.toEqual([]);
    await one.close();
    expect(await keysOf(first.namespace)).toEqual([]);
    expect(await keysOf(second.namespace)).not.toEqual([]);
    await other.close();
    expect(await keysOf(second.namespace)).toEqual([]);
    await expect(first.ping()).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("gives named connections of an application different namespaces", async () => {
    @Module({
      imports: [
        LatchkeyTestingModule.forRoot({ agents: true }),
        LatchkeyTestingModule.forRoot({ connection: "orders", timeout: "20s" }),
        LatchkeyTestingModule.forFeature([order], "orders"),
      ],
    })
    class AppModule {}
    const app = await (await Test.createTestingModule({ imports: [AppModule] }).compile()).init();
    const [agents, orders] = [getLatchkeyToken(), getLatchkeyToken("orders")].map((token) =>
      app.get<Latchkey>(token),
    );
    expect(agents?.namespace).not.toBe(orders?.namespace);
    expect(await orders?.machines()).toEqual(["order"]);
    await app.close();
  });

  it("rejects the options that it chooses itself", () => {
    const options = { namespace: "production" } as object;
    expect(() => LatchkeyTestingModule.forRoot(options)).toThrow(
      "namespace cannot be set, because LatchkeyTestingModule chooses it",
    );
  });
});

it("a provider of entities is overridden with entities in memory, without a server", async () => {
  const app = await Test.createTestingModule({
    imports: [LatchkeyModule.forFeature([order])],
    providers: [OrderService],
  })
    .overrideProvider(getEntitiesToken(order))
    .useValue(fakeEntities(order))
    .compile();
  await app.init();
  expect(await app.get(OrderService).pay("o1")).toBe("paid");
  expect(await app.get(OrderService).orders.count()).toEqual({ open: 0, paid: 1 });
  await app.close();
});
