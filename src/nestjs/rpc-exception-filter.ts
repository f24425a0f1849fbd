import { type ArgumentsHost, Catch, Logger, type RpcExceptionFilter } from "@nestjs/common";
import { type Observable, throwError } from "rxjs";
import {
  type ErrorBody,
  errorBody,
  hasCurrent,
  type LatchkeyExceptionFilterOptions,
} from "./error-response.js";
import { KnownError } from "./known-error.js";

/**
 * Answers messages of microservices that fail with an error of latchkey. The sender gets `{ status: "error", statusCode,
 * code, message, current }`, with the values that {@link LatchkeyExceptionFilter} uses for HTTP. Other exceptions go to
 * other filters. Hybrid applications use {@link LatchkeyExceptionFilter}, which answers both kinds of requests.
 *
 * @example microservice.useGlobalFilters(new LatchkeyRpcExceptionFilter());
 */
@Catch(KnownError)
export class LatchkeyRpcExceptionFilter implements RpcExceptionFilter<KnownError> {
  readonly #logger = new Logger("LatchkeyRpcExceptionFilter");
  readonly #hasCurrent: boolean;

  /** @throws ContractError if an option is invalid */
  constructor(options: LatchkeyExceptionFilterOptions = {}) {
    this.#hasCurrent = hasCurrent(options);
  }

  /** Returns the failure that Nest sends to the sender of the message. */
  catch(error: KnownError, _host: ArgumentsHost): Observable<never> {
    const body = errorBody(error, this.#hasCurrent);
    if (body.statusCode >= 500) this.#logger.error(error.message, error.stack);
    return rpcFailure(body);
  }
}

/** Makes the failure of a message, in the form of Nest's own filter. */
export function rpcFailure(body: ErrorBody): Observable<never> {
  return throwError(() => ({ status: "error", ...body }));
}
