import { AsyncLocalStorage } from "node:async_hooks";
import {
  Controller,
  type ExecutionContext,
  Get,
  Injectable,
  type NestInterceptor,
  Param,
  Sse,
  type Type,
} from "@nestjs/common";
import { APP_GUARD, APP_INTERCEPTOR } from "@nestjs/core";
import { concatMap, from, type Observable, of, tap } from "rxjs";
import { describe, expect, it } from "vitest";
import {
  getEntitiesToken,
  InjectEntities,
  LatchkeyActorInterceptor,
  type LatchkeyConnectionOptions,
  LatchkeyModule,
  requestActor,
} from "../../src/nestjs/index.js";
import { httpApp } from "../helpers/nest-http.js";
import { type Orders, order, ownNamespace } from "../helpers/nest-orders.js";

/** Creates orders: at once, after other work, and in an observable. */
@Controller()
class OrderController {
  readonly orders: Orders;

  constructor(@InjectEntities(order) orders: Orders) {
    this.orders = orders;
  }

  @Get("direct/:id")
  async direct(@Param("id") id: string): Promise<void> {
    await this.orders.create(id);
  }

  @Get("later/:id")
  async later(@Param("id") id: string): Promise<void> {
    await this.orders.get(id);
    await new Promise((resolve) => setImmediate(resolve));
    await Promise.all([this.orders.create(id), this.orders.create(`${id}-2`, {}, { actor: "own" })]);
  }

  @Sse("stream/:id")
  stream(@Param("id") id: string): Observable<{ data: string }> {
    return of(1, 2).pipe(
      concatMap((n) => from(this.orders.create(`${id}-${n}`))),
      concatMap((change) => of({ data: change.id })),
    );
  }
}

/** Stands for an authentication guard: the header names the user. */
@Injectable()
class UserGuard {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<{ headers: Record<string, string>; user?: unknown }>();
    const { user } = request.headers;
    if (user !== undefined) request.user = JSON.parse(user);
    return true;
  }
}

async function appWith(
  interceptors: readonly (Type<NestInterceptor> | NestInterceptor)[],
  more: LatchkeyConnectionOptions = {},
) {
  const { app, url } = await httpApp({
    imports: [
      LatchkeyModule.forRoot({ ...(await ownNamespace()), ...more }),
      LatchkeyModule.forFeature([order]),
    ],
    controllers: [OrderController],
    providers: [
      { provide: APP_GUARD, useClass: UserGuard },
      ...interceptors.map((one) =>
        typeof one === "function"
          ? { provide: APP_INTERCEPTOR, useClass: one }
          : { provide: APP_INTERCEPTOR, useValue: one },
      ),
    ],
  });
  const orders = app.get<Orders>(getEntitiesToken(order));
  return {
    request: async (path: string, user?: unknown, headers: Record<string, string> = {}) => {
      const own = user === undefined ? {} : { user: JSON.stringify(user) };
      const response = await fetch(`${url}/${path}`, { headers: { ...own, ...headers } });
      expect(response.ok).toBe(true);
      await response.text();
    },
    actorOf: async (id: string) => (await orders.history(id))[0]?.actor,
  };
}

describe("the actor of a change", () => {
  it.each<[user: unknown, actor: string | undefined]>([
    [{ id: "u1", sub: "s", email: "e" }, "u1"],
    [{ id: "", sub: "s1", username: "n" }, "s1"],
    [{ username: "n1", email: "e" }, "n1"],
    [{ email: "e1@x.y", name: "n" }, "e1@x.y"],
    [{ name: "Ann" }, "Ann"],
    [{ id: 7 }, "7"],
    ["ann", "ann"],
    [{ id: { nested: true } }, undefined],
    [null, undefined],
    [undefined, undefined],
  ])("is taken from request.user: %j gives %s", async (user, actor) => {
    const { request, actorOf } = await appWith([LatchkeyActorInterceptor]);
    await request("direct/o1", user);
    expect(await actorOf("o1")).toBe(actor);
  });

  it("is that of its own request while many are handled at once, and an actor of one call has precedence", async () => {
    const { request, actorOf } = await appWith([LatchkeyActorInterceptor]);
    const names = Array.from({ length: 20 }, (_, n) => `u${n}`);
    await Promise.all(names.map((name) => request(`later/o-${name}`, { id: name })));
    for (const name of names) {
      expect(await actorOf(`o-${name}`)).toBe(name);
      expect(await actorOf(`o-${name}-2`)).toBe("own");
    }
  });

  it("is kept in observables of the handler, beside other interceptors", async () => {
    const taps: (string | undefined)[] = [];
    const other: NestInterceptor = {
      intercept: (_, next) => next.handle().pipe(tap(() => void taps.push(requestActor()))),
    };
    const { request, actorOf } = await appWith([other, LatchkeyActorInterceptor, other]);
    await request("stream/o1", { id: "u1" });
    expect([await actorOf("o1-1"), await actorOf("o1-2")]).toEqual(["u1", "u1"]);
    expect(taps).toContain("u1");
  });

  it("can be found by a function of the request", async () => {
    const interceptor = new LatchkeyActorInterceptor({
      actor: (request, context) => `${request.headers["x-user"]}@${context.getClass().name}`,
    });
    const { request, actorOf } = await appWith([interceptor]);
    await request("direct/o1", { id: "u1" }, { "x-user": "u2" });
    expect(await actorOf("o1")).toBe("u2@OrderController");
  });

  it("is that of the option actor of the connection if it has one, such as a function over nestjs-cls", async () => {
    const storage = new AsyncLocalStorage<string>();
    const cls: NestInterceptor = {
      intercept: (_, next) => storage.run("from-cls", () => next.handle()),
    };
    const { request, actorOf } = await appWith([LatchkeyActorInterceptor, cls], {
      actor: () => storage.getStore(),
    });
    await request("direct/o1", { id: "u1" });
    expect(await actorOf("o1")).toBe("from-cls");
  });

  it("is absent outside of requests, and without the interceptor", async () => {
    const { request, actorOf } = await appWith([]);
    await request("direct/o1", { id: "u1" });
    expect(await actorOf("o1")).toBeUndefined();
    expect(requestActor()).toBeUndefined();
  });
});

it("the interceptor rejects an unknown option", () => {
  expect(() => new LatchkeyActorInterceptor({ user: () => "u" } as object)).toThrow(
    expect.objectContaining({ code: "BADARG" }),
  );
});
