import "reflect-metadata";
import { Injectable, Module } from "@nestjs/common";
import { Test } from "@nestjs/testing";
import { describe, expect, it } from "vitest";
import { agent, defineMachine, type Latchkey } from "../../src/index.js";
import {
  type EntitiesOf,
  getEntitiesToken,
  InjectEntities,
  InjectLatchkey,
  LatchkeyModule,
} from "../../src/nestjs/index.js";
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

describe("LatchkeyModule", () => {
  it("injects a connection and the entities of a machine", async () => {
    const { url } = await useValkey();
    const namespace = freshNamespace();
    @Module({
      imports: [LatchkeyModule.forRoot({ url, namespace }), LatchkeyModule.forFeature([order, agent()])],
      providers: [OrderService],
    })
    class AppModule {}
    const app = await Test.createTestingModule({ imports: [AppModule] }).compile();
    await app.init();
    const { latchkey, orders } = app.get(OrderService);
    expect(latchkey.namespace).toBe(namespace);
    await orders.create("o1");
    expect((await orders.transition("o1", "paid")).state).toBe("paid");
    expect(app.get(getEntitiesToken(order))).toBe(orders);
    await app.close();
    await expect(latchkey.ping()).rejects.toMatchObject({ code: "CLOSED" });
  });
});
