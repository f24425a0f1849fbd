import { Injectable } from "@nestjs/common";
import { EventEmitter2, EventEmitterModule, OnEvent } from "@nestjs/event-emitter";
import { describe, expect, it } from "vitest";
import { type Change, GapError } from "../../src/index.js";
import { getEntitiesToken, LatchkeyModule } from "../../src/nestjs/index.js";
import { admin } from "../helpers/calls.js";
import { recordingNestLogger, startApp } from "../helpers/nest-app.js";
import { type Orders, order, ownNamespace, startOrders } from "../helpers/nest-orders.js";
import { nameOf } from "../helpers/reactions.js";

/** Starts a replica whose listeners note events. */
async function replica(options: { readonly url: string; readonly namespace: string }) {
  const met: string[] = [];
  @Injectable()
  class Listener {
    @OnEvent("order.paid")
    async paid(change: Change): Promise<void> {
      met.push(`paid ${nameOf(change)}`);
    }

    @OnEvent("order.*")
    all(change: Change): void {
      met.push(nameOf(change));
    }
  }
  const { lines, logger } = recordingNestLogger();
  const app = await startApp(
    {
      imports: [
        EventEmitterModule.forRoot({ wildcard: true }),
        LatchkeyModule.forRoot({ ...options, eventEmitter: true }),
        LatchkeyModule.forFeature([order]),
      ],
      providers: [Listener],
    },
    { logger },
  );
  return {
    app,
    met,
    lines,
    orders: app.get<Orders>(getEntitiesToken(order)),
    emitter: app.get(EventEmitter2),
  };
}

describe("the option eventEmitter", () => {
  it("emits each change as its type, in every replica", async () => {
    const options = await ownNamespace();
    const [one, two] = [await replica(options), await replica(options)];
    await one.orders.create("o1");
    await two.orders.transition("o1", "paid");
    const expected = ["o1@1", "o1@2", "paid o1@2"];
    await expect.poll(() => [one.met.toSorted(), two.met.toSorted()]).toEqual([expected, expected]);
  });

  it("logs a listener that fails, and emits the next event", async () => {
    const { orders, emitter, lines, met } = await replica(await ownNamespace());
    emitter.on("order.open", async () => {
      throw new Error("no room");
    });
    await orders.create("o1");
    await orders.transition("o1", "paid");
    await expect.poll(() => met.toSorted()).toEqual(["o1@1", "o1@2", "paid o1@2"]);
    expect(lines).toContainEqual(
      expect.stringMatching(/^error .*a listener of order\.open failed: no room/s),
    );
  });

  it("emits latchkey.missed if events were trimmed before they were read", async () => {
    const options = await ownNamespace();
    const { orders, emitter, met } = await replica(options);
    const gap = new Promise<unknown>((resolve) => emitter.on("latchkey.missed", resolve));
    await orders.create("o1");
    await expect.poll(() => met).toEqual(["o1@1"]);
    // A log of another life: the event that was read last is not in it.
    await (await admin()).del(`{${options.namespace}:0}:order:events`);
    await orders.create("o2");
    expect(await gap).toBeInstanceOf(GapError);
    await expect.poll(() => met).toEqual(["o1@1", "o2@1"]);
  });

  it("rejects the startup if no module has an EventEmitter2, and a value that is not a boolean", async () => {
    const options = await ownNamespace();
    await expect(startOrders({ ...options, eventEmitter: true }, [])).rejects.toMatchObject({
      code: "BADARG",
      message: expect.stringContaining("import EventEmitterModule.forRoot()"),
    });
    await expect(
      startOrders({ ...options, eventEmitter: "yes" as unknown as true }, []),
    ).rejects.toMatchObject({
      code: "BADARG",
      message: expect.stringContaining("eventEmitter must be true or false"),
    });
  });
});
