import { Injectable } from "@nestjs/common";
import { describe, expect, it } from "vitest";
import type { Change } from "../../src/index.js";
import { OnChange } from "../../src/nestjs/index.js";
import { recordingNestLogger } from "../helpers/nest-app.js";
import { order, ownNamespace, startOrders } from "../helpers/nest-orders.js";
import { startProxy } from "../helpers/proxy.js";
import { gate, nameOf } from "../helpers/reactions.js";
import { useValkey } from "../helpers/valkey.js";

/** Makes a class that notes all changes, and those that are payments. */
function cacheClass() {
  const met: string[] = [];
  @Injectable()
  class Cache {
    @OnChange(order)
    all(change: Change): void {
      met.push(`all ${nameOf(change)}`);
    }

    @OnChange(order, ["order.paid"])
    async paid(change: Change<"open" | "paid" | "cancelled">): Promise<void> {
      met.push(`paid ${nameOf(change)}`);
    }
  }
  return { Cache, met };
}

describe("@OnChange", () => {
  it("calls methods in every replica, for all events or some", async () => {
    const options = await ownNamespace();
    const [one, two] = [cacheClass(), cacheClass()];
    const { orders } = await startOrders(options, [one.Cache]);
    await startOrders(options, [two.Cache]);
    await orders.create("o1");
    await orders.transition("o1", "paid");
    const expected = ["all o1@1", "all o1@2", "paid o1@2"];
    await expect.poll(() => [one.met.toSorted(), two.met.toSorted()]).toEqual([expected, expected]);
    expect(await orders.reactions()).toEqual([]);
  });

  it("logs a method that throws, and calls it for the next change", async () => {
    const met: string[] = [];
    @Injectable()
    class Cache {
      @OnChange(order)
      async update(change: Change): Promise<void> {
        met.push(nameOf(change));
        throw new Error(`no room for ${nameOf(change)}`);
      }
    }
    const { lines, logger } = recordingNestLogger();
    const { orders } = await startOrders(await ownNamespace(), [Cache], logger);
    await orders.create("o1");
    await orders.create("o2");
    await expect.poll(() => met).toEqual(["o1@1", "o2@1"]);
    await expect.poll(() => lines).toContainEqual(expect.stringMatching(/^error .*no room for o2@1/s));
  });

  it("logs an interruption, and calls the method that onMissed names", async () => {
    const met: string[] = [];
    @Injectable()
    class Cache {
      readonly kind = "cache";

      @OnChange(order, [], { onMissed: "reload" })
      update(change: Change): void {
        met.push(nameOf(change));
      }

      reload(): void {
        met.push(`reload ${this.kind}`);
        throw new Error("no data");
      }
    }
    const proxy = await startProxy(await useValkey());
    const { namespace } = await ownNamespace();
    const { lines, logger } = recordingNestLogger();
    const { orders } = await startOrders({ url: proxy.url, namespace }, [Cache], logger);
    await orders.create("o1");
    await expect.poll(() => met).toEqual(["o1@1"]);
    proxy.cut();
    await expect.poll(() => met).toEqual(["o1@1", "reload cache"]);
    expect(lines).toContainEqual(expect.stringMatching(/^warn .*Cache\.update: the connection was lost/));
    await expect
      .poll(() => lines)
      .toContainEqual(expect.stringMatching(/^error .*Cache\.update: its method reload failed: no data/s));
  });

  it("waits for running methods before the application is closed", async () => {
    const begun = gate();
    const finish = gate();
    let isFinished = false;
    @Injectable()
    class Cache {
      @OnChange(order)
      async update(): Promise<void> {
        begun.open();
        await finish.promise;
        isFinished = true;
      }
    }
    const { app, orders } = await startOrders(await ownNamespace(), [Cache]);
    await orders.create("o1");
    await begun.promise;
    const closed = app.close().then(() => isFinished);
    finish.open();
    expect(await closed).toBe(true);
  });

  class Misspelt {
    @OnChange(order, ["order.payed" as "order.paid"])
    run(): void {}
  }
  class Unknown {
    @OnChange("parcel")
    run(): void {}
  }
  class Missing {
    @OnChange(order, [], { onMissed: "relaod" })
    run(): void {}
  }
  class Extra {
    @OnChange(order, [], { onmissed: "run" } as object)
    run(): void {}
  }

  it.each([
    [
      "an unknown event",
      Misspelt,
      'Misspelt.run: types: unknown event "order.payed"; did you mean "order.paid"',
    ],
    ["a machine without forFeature", Unknown, 'Unknown.run: no module provides the machine "parcel"'],
    ["an unknown method in onMissed", Missing, "Missing.run: onMissed must be the name of a method"],
    ["an unknown option", Extra, 'Extra.run: unknown option "onmissed"'],
  ])("rejects the startup for %s", async (_, provider, text) => {
    await expect(startOrders(await ownNamespace(), [provider])).rejects.toMatchObject({
      code: "BADARG",
      message: expect.stringContaining(text),
    });
  });
});
