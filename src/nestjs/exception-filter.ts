import { type ArgumentsHost, Catch, type ExceptionFilter, Inject, Logger } from "@nestjs/common";
import { HttpAdapterHost } from "@nestjs/core";
import type { Observable } from "rxjs";
import {
  type ErrorBody,
  errorBody,
  hasCurrent,
  type LatchkeyExceptionFilterOptions,
} from "./error-response.js";
import { KnownError } from "./known-error.js";
import { rpcFailure } from "./rpc-exception-filter.js";

const RETRY_AFTER_SECONDS = "1";

/**
 * Answers HTTP requests that fail with an error of latchkey. The status depends on the error's `code`: for example 404 for
 * NOTFOUND, 409 for ILLEGAL, 503 with Retry-After for NOTEXECUTED, and 504 for UNKNOWN. The body has `statusCode`, `code`,
 * `message` and `current`. From 500 on the message is a fixed text, and the error is logged. Other exceptions go to other
 * filters. A message of a microservice or a web socket, in a hybrid application, is answered with the same body.
 *
 * Use it as `APP_FILTER`, with `@UseFilters(LatchkeyExceptionFilter)` or with `app.useGlobalFilters`.
 *
 * @example providers: [{ provide: APP_FILTER, useClass: LatchkeyExceptionFilter }]
 * @example app.useGlobalFilters(new LatchkeyExceptionFilter(app.get(HttpAdapterHost), { current: false }));
 */
@Catch(KnownError)
export class LatchkeyExceptionFilter implements ExceptionFilter<KnownError> {
  readonly #logger = new Logger("LatchkeyExceptionFilter");
  readonly #adapterHost: HttpAdapterHost;
  readonly #hasCurrent: boolean;

  /** @throws ContractError if an option is invalid */
  constructor(
    @Inject(HttpAdapterHost) adapterHost: HttpAdapterHost,
    options: LatchkeyExceptionFilterOptions = {},
  ) {
    this.#adapterHost = adapterHost;
    this.#hasCurrent = hasCurrent(options);
  }

  /**
   * Answers the request. A message of a microservice or a web socket gets the same body.
   *
   * @returns what Nest reports to the sender if the host is not HTTP; for example a resolver of GraphQL throws the error
   */
  catch(error: KnownError, host: ArgumentsHost): Observable<never> | KnownError | undefined {
    const body = errorBody(error, this.#hasCurrent);
    if (body.statusCode >= 500) this.#logger.error(error.message, error.stack);
    switch (host.getType<string>()) {
      case "http":
        this.#reply(body, host.switchToHttp().getResponse());
        return undefined;
      case "rpc":
        return rpcFailure(body);
      case "ws":
        host
          .switchToWs()
          .getClient<NodeJS.EventEmitter>()
          .emit("exception", { status: "error", ...body });
        return undefined;
      default:
        return error;
    }
  }

  #reply(body: ErrorBody, response: unknown): void {
    const adapter = this.#adapterHost.httpAdapter;
    if (adapter.isHeadersSent(response)) {
      adapter.end(response);
      return;
    }
    if (body.statusCode === 503) adapter.setHeader(response, "Retry-After", RETRY_AFTER_SECONDS);
    adapter.reply(response, body, body.statusCode);
  }
}
