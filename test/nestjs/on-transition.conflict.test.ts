import { Injectable } from "@nestjs/common";
import { describe, expect, it } from "vitest";
import type { Change } from "../../src/index.js";
import { LatchkeyHealthIndicator, OnTransition } from "../../src/nestjs/index.js";
import { admin } from "../helpers/calls.js";
import { client, rejection } from "../helpers/client.js";
import { recordingNestLogger } from "../helpers/nest-app.js";
import { order, ownNamespace, startOrders } from "../helpers/nest-orders.js";
import { nameOf } from "../helpers/reactions.js";

/** Starts the reaction of an earlier version of the program, with other event types. */
async function earlierVersion(options: { readonly url: string; readonly namespace: string }) {
  const orders = await (await client(options)).machine(order);
  const met: string[] = [];
  const reaction = await orders.react("mail", (change) => void met.push(nameOf(change)), {
    on: ["order.open"],
  });
  return { orders, met, reaction };
}

describe("if running replicas use other events for a reaction,", () => {
  it("the startup fails, and those replicas continue", async () => {
    @Injectable()
    class Mailer {
      @OnTransition({ machine: order, on: ["order.paid"], name: "mail" })
      send(): void {}
    }
    const options = await ownNamespace();
    const { orders, met } = await earlierVersion(options);
    const error = await rejection(startOrders(options, [Mailer]));
    expect(error.message).toContain('Mailer.send: reaction mail runs with another "on" in other replicas');
    await orders.create("o1");
    await expect.poll(() => met).toEqual(["o1@1"]);
    expect(await orders.reactions()).toMatchObject([{ name: "mail", consumers: 1 }]);
  });

  it('onConflict "retry" starts the application, and the reaction when they have stopped', async () => {
    const met: string[] = [];
    @Injectable()
    class Mailer {
      @OnTransition({ machine: order, on: ["order.paid"], name: "mail", onConflict: "retry" })
      send(change: Change): void {
        met.push(nameOf(change));
      }
    }
    const options = await ownNamespace();
    const earlier = await earlierVersion(options);
    const { lines, logger } = recordingNestLogger();
    const { app, orders } = await startOrders(options, [Mailer], logger);
    await expect
      .poll(() => lines)
      .toContainEqual(expect.stringMatching(/^warn .*Mailer\.send waits for other replicas to stop: /));
    await orders.create("o1");
    await expect.poll(() => earlier.met).toEqual(["o1@1"]);
    // Otherwise a rolling deployment, which waits for healthy replicas, would not go on.
    expect(await app.get(LatchkeyHealthIndicator).isHealthy("orders", { timeout: "30s" })).toMatchObject({
      orders: { status: "up" },
    });
    await earlier.reaction.close();
    await orders.transition("o1", "paid");
    await expect.poll(() => met).toEqual(["o1@2"]);
  });

  it('onConflict "retry" does not keep a waiting application from closing', async () => {
    @Injectable()
    class Mailer {
      @OnTransition({ machine: order, on: ["order.paid"], name: "mail", onConflict: "retry" })
      send(): void {}
    }
    const options = await ownNamespace();
    const earlier = await earlierVersion(options);
    const { app } = await startOrders(options, [Mailer]);
    await app.close();
    expect(await earlier.orders.reactions()).toMatchObject([{ name: "mail", consumers: 1 }]);
  });

  it('onConflict "retry" does not repeat a start that fails for another reason', async () => {
    @Injectable()
    class Mailer {
      @OnTransition({ machine: order, name: "mail", onConflict: "retry", concurrency: 0 })
      send(): void {}
    }
    await expect(startOrders(await ownNamespace(), [Mailer])).rejects.toMatchObject({
      code: "BADARG",
      message: expect.stringContaining("Mailer.send: concurrency"),
    });
  });
});

it("a reaction that ends because of an error is logged as fatal, and makes the health check down", async () => {
  @Injectable()
  class Mailer {
    @OnTransition({ machine: order, on: ["order.paid"], name: "mail" })
    send(): void {}
  }
  const valkey = await admin();
  const options = await ownNamespace();
  const user = { username: options.namespace, password: "pw" };
  await valkey.call("ACL", "SETUSER", user.username, "reset", "on", ">pw", "~*", "&*", "+@all");
  const { lines, logger } = recordingNestLogger();
  const { app } = await startOrders({ ...options, ...user }, [Mailer], logger);
  const indicator = app.get(LatchkeyHealthIndicator);
  expect(await indicator.isHealthy("orders", { timeout: "30s" })).toMatchObject({ orders: { status: "up" } });
  await valkey.call("ACL", "SETUSER", user.username, "-xreadgroup");
  await expect
    .poll(() => indicator.isHealthy("orders", { timeout: "30s" }))
    .toEqual({
      orders: expect.objectContaining({
        status: "down",
        message: "work has ended",
        ended: ["reaction mail (Mailer.send)"],
        role: "primary",
      }),
    });
  expect(lines).toContainEqual(expect.stringMatching(/^fatal .*reaction mail \(Mailer\.send\) ended: /));
  await valkey.call("ACL", "DELUSER", user.username);
});
