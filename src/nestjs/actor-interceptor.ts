import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from "@nestjs/common";
import { Observable } from "rxjs";
import { checkFunctions, checkOptions } from "../contract/arguments.js";
import { runAs } from "./actor.js";

/** Options of {@link LatchkeyActorInterceptor}. */
export interface LatchkeyActorInterceptorOptions {
  /**
   * Returns the actor of a request; undefined for none. `request` is the request of HTTP or GraphQL, or the data of a
   * message.
   *
   * @default the first of `id`, `sub`, `username`, `email` and `name` of `request.user`; none for messages
   */
  // biome-ignore lint/suspicious/noExplicitAny: the type of the request is that of the caller's platform
  readonly actor?: (request: any, context: ExecutionContext) => string | undefined;
}

const NAMES = ["id", "sub", "username", "email", "name"] as const;

/**
 * Stores who makes a request with every change that its handler makes: the changes have it as `actor`. It applies to
 * everything that the handler starts, also after the response. An `actor` in the options of one change has precedence.
 *
 * Use it as `APP_INTERCEPTOR`, with `@UseInterceptors` or with `app.useGlobalInterceptors`. Guards run before it, so they
 * can set `request.user`. Microservices and gateways need the option `actor`.
 *
 * @example providers: [{ provide: APP_INTERCEPTOR, useClass: LatchkeyActorInterceptor }]
 * @example app.useGlobalInterceptors(new LatchkeyActorInterceptor({ actor: (request) => request.headers["x-user"] }));
 */
@Injectable()
export class LatchkeyActorInterceptor implements NestInterceptor {
  readonly #actor: NonNullable<LatchkeyActorInterceptorOptions["actor"]>;

  /** @throws ContractError if an option is invalid */
  constructor(options: LatchkeyActorInterceptorOptions = {}) {
    checkOptions(options, ["actor"]);
    checkFunctions({ actor: options.actor });
    this.#actor = options.actor ?? userOf;
  }

  /** Runs the handler with the actor of its request. */
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const actor = this.#actor(requestOf(context), context);
    // Nest keeps the asynchronous context in which `handle` is called, and an observable that in which it is subscribed.
    return new Observable((subscriber) => runAs(actor, () => next.handle().subscribe(subscriber)));
  }
}

/** Returns the request. GraphQL has it in its context, the third argument of a resolver. */
function requestOf(context: ExecutionContext): unknown {
  if (context.getType<string>() !== "graphql") return context.switchToHttp().getRequest();
  return context.getArgByIndex<{ readonly req?: unknown } | undefined>(2)?.req;
}

function userOf(request: unknown, context: ExecutionContext): string | undefined {
  // The data of a message is what its sender wrote, and not a user that a guard checked.
  if (!["http", "graphql"].includes(context.getType<string>())) return undefined;
  const user = (request as { readonly user?: unknown } | undefined)?.user;
  if (typeof user !== "object" || user === null) return nameFrom(user);
  for (const name of NAMES) {
    const text = nameFrom((user as Readonly<Record<string, unknown>>)[name]);
    if (text !== undefined) return text;
  }
  return undefined;
}

function nameFrom(value: unknown): string | undefined {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
}
