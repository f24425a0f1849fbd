import { Controller, Injectable, Module, Scope, SetMetadata } from "@nestjs/common";
import { describe, expect, it } from "vitest";
import type { Change, HandlerContext } from "../../src/index.js";
import { type EntitiesOf, getEntitiesToken, LatchkeyModule, OnTransition } from "../../src/nestjs/index.js";
import { client, rejection } from "../helpers/client.js";
import { startApp } from "../helpers/nest-app.js";
import { order, ownNamespace, startOrders } from "../helpers/nest-orders.js";
import { AT_ONCE, gate, nameOf } from "../helpers/reactions.js";

describe("@OnTransition", () => {
  it("calls methods of providers and controllers with the change, the attempt and a signal", async () => {
    const met: unknown[] = [];
    @Injectable()
    class Mailer {
      readonly kind = "mail";

      @OnTransition({ machine: order, on: ["order.paid"], name: "mail" })
      @OnTransition({ machine: order, on: ["order.cancelled"], name: "refund" })
      send(change: Change<"open" | "paid" | "cancelled">, { attempt, signal }: HandlerContext): void {
        met.push([this.kind, change.type, attempt, signal.aborted]);
      }
    }
    @Controller()
    class Orders {
      @OnTransition({ machine: "order", name: "audit" })
      async audit({ type }: Change): Promise<void> {
        met.push(["audit", type]);
      }
    }
    const app = await startApp({
      imports: [LatchkeyModule.forRoot(await ownNamespace()), LatchkeyModule.forFeature([order])],
      providers: [Mailer, { provide: "alias", useExisting: Mailer }],
      controllers: [Orders],
    });
    const orders = app.get<EntitiesOf<typeof order>>(getEntitiesToken(order));
    await orders.create("o1");
    await orders.transition("o1", "paid");
    await orders.create("o2");
    await orders.transition("o2", "cancelled");
    await expect
      .poll(() => met.toSorted())
      .toEqual([
        ["audit", "order.cancelled"],
        ["audit", "order.open"],
        ["audit", "order.open"],
        ["audit", "order.paid"],
        ["mail", "order.cancelled", 1, false],
        ["mail", "order.paid", 1, false],
      ]);
    expect((await orders.reactions()).map(({ name }) => name)).toEqual(["audit", "mail", "refund"]);
  });

  it("retries an event whose method throws, and makes it a dead letter after the last attempt", async () => {
    const attempts: number[] = [];
    @Injectable()
    class Mailer {
      @OnTransition({
        machine: order,
        on: ["order.paid"],
        name: "mail",
        retries: AT_ONCE,
        deadLetterAfter: 2,
      })
      async send(_: Change, { attempt }: HandlerContext): Promise<void> {
        attempts.push(attempt);
        throw new Error("no mail");
      }
    }
    const { orders } = await startOrders(await ownNamespace(), [Mailer]);
    await orders.create("o1");
    await orders.transition("o1", "paid");
    await expect.poll(async () => (await orders.reactions())[0]?.deadLetters).toBe(1);
    expect(attempts).toEqual([1, 2]);
  });

  it("keeps its mark if another decorator replaces the method and copies its metadata", async () => {
    const met: string[] = [];
    const Traced: MethodDecorator = (_target, _key, descriptor: PropertyDescriptor) => {
      const original = descriptor.value as (...args: unknown[]) => unknown;
      function traced(this: unknown, ...args: unknown[]): unknown {
        met.push("traced");
        return original.apply(this, args);
      }
      for (const key of Reflect.getMetadataKeys(original))
        SetMetadata(key, Reflect.getMetadata(key, original))({}, "", { value: traced });
      descriptor.value = traced;
    };
    @Injectable()
    class Mailer {
      @Traced
      @OnTransition({ machine: order, on: ["order.open"], name: "mail" })
      send(change: Change): void {
        met.push(nameOf(change));
      }
    }
    const { orders } = await startOrders(await ownNamespace(), [Mailer]);
    await orders.create("o1");
    await expect.poll(() => met).toEqual(["traced", "o1@1"]);
  });

  it("shares the events among replicas, and finishes the running one before the application is closed", async () => {
    const begun = gate();
    const finish = gate();
    const met: string[] = [];
    @Injectable()
    class Mailer {
      @OnTransition({ machine: order, on: ["order.paid"], name: "mail" })
      async send({ id }: Change, { signal }: HandlerContext): Promise<void> {
        met.push(`${id} begins`);
        begun.open();
        await finish.promise;
        met.push(`${id} ends ${signal.aborted}`);
      }
    }
    const options = await ownNamespace();
    const { app, orders } = await startOrders(options, [Mailer]);
    const elsewhere = await (await client(options)).machine(order);
    await orders.create("o1");
    await orders.transition("o1", "paid");
    await begun.promise;
    const closed = app.close();
    await expect.poll(async () => (await elsewhere.reactions())[0]?.pending).toBe(1);
    finish.open();
    await closed;
    expect(met).toEqual(["o1 begins", "o1 ends false"]);
    expect(await elsewhere.reactions()).toMatchObject([{ name: "mail", pending: 0, consumers: 0 }]);
  });

  it("aborts the signal of a method that runs longer than shutdownTimeout; the event is handled again later", async () => {
    const begun = gate();
    @Injectable()
    class Mailer {
      @OnTransition({ machine: order, on: ["order.paid"], name: "mail" })
      async send(_: Change, { signal }: HandlerContext): Promise<void> {
        begun.open();
        await new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(new Error("aborted"))),
        );
      }
    }
    const options = await ownNamespace();
    const { app, orders } = await startOrders({ ...options, shutdownTimeout: 10 }, [Mailer]);
    await orders.create("o1");
    await orders.transition("o1", "paid");
    await begun.promise;
    await app.close();
    const next = gate<number>();
    const elsewhere = await (await client(options)).machine(order);
    await elsewhere.react("mail", (_, { attempt }) => next.open(attempt), { on: ["order.paid"] });
    expect(await next.promise).toBe(1);
  });
});

describe("the application's startup is rejected, with class and method in the text,", () => {
  class Requested {
    @OnTransition({ machine: order, name: "r" })
    run(): void {}
  }
  Injectable({ scope: Scope.REQUEST })(Requested);

  class Transient {
    @OnTransition({ machine: order, name: "r" })
    run(): void {}
  }
  Injectable({ scope: Scope.TRANSIENT })(Transient);

  class Unknown {
    @OnTransition({ machine: "parcel", name: "r" })
    run(): void {}
  }

  class Misspelt {
    @OnTransition({ machine: order, on: ["order.payed" as "order.paid"], name: "r" })
    run(): void {}
  }

  class Nameless {
    @OnTransition({ machine: order } as { machine: typeof order; name: string })
    run(): void {}
  }

  class Circular {
    @OnTransition({ machine: undefined as unknown as typeof order, name: "r" })
    run(): void {}
  }

  class Odd {
    @OnTransition({ machine: order, name: "r", onConflict: "wait" as "retry" })
    run(): void {}
  }

  it.each<[why: string, provider: new () => object, text: string]>([
    ["for a request-scoped provider", Requested, "Requested.run: the provider is request-scoped"],
    ["for a transient provider", Transient, "Transient.run: the provider is transient"],
    ["for a machine without forFeature", Unknown, 'Unknown.run: no module provides the machine "parcel"'],
    [
      "for an unknown event",
      Misspelt,
      'Misspelt.run: on: unknown event "order.payed"; did you mean "order.paid"',
    ],
    ["for a missing name", Nameless, "Nameless.run: invalid reaction"],
    ["for a machine that is undefined", Circular, "Circular.run: machine must be a machine or its name"],
    ["for an invalid onConflict", Odd, 'Odd.run: onConflict must be "fail" or "retry"'],
  ])("%s", async (_, provider, text) => {
    const options = await ownNamespace();
    const error = await rejection(startOrders(options, [provider]));
    expect(error).toMatchObject({ code: "BADARG", message: expect.stringContaining(text) });
    const list = await (await client(options)).machine(order);
    expect(await list.reactions()).toEqual([]);
  });

  it("for two reactions of one name, also if one class is provided in two modules", async () => {
    @Injectable()
    class One {
      @OnTransition({ machine: order, name: "r" })
      run(): void {}
    }
    @Injectable()
    class Two {
      @OnTransition({ machine: order, name: "r" })
      handle(): void {}
    }
    const options = await ownNamespace();
    const imports = [LatchkeyModule.forRoot(options), LatchkeyModule.forFeature([order])];
    await expect(startApp({ imports, providers: [One, Two] })).rejects.toMatchObject({
      code: "BADARG",
      message: expect.stringContaining(
        'Two.handle: One.run has a reaction named "r" too; give one of them another name',
      ),
    });
    @Module({ providers: [One] })
    class Other {}
    await expect(startApp({ imports: [...imports, Other], providers: [One] })).rejects.toMatchObject({
      message: expect.stringContaining("provide the class in one module"),
    });
  });
});
