import { Inject, Injectable, Logger } from "@nestjs/common";
import { checkDuration, checkFlag, checkOptions, refuse } from "../contract/arguments.js";
import type { Duration } from "../machine/duration.js";
import { Deadline } from "../valkey/deadline.js";
import type { ServerRole } from "../valkey/role.js";
import { thrownText } from "../valkey/thrown-text.js";
import { errorBody } from "./error-response.js";
import { KnownError } from "./known-error.js";
import { LatchkeyRegistry } from "./registry.js";
import { DEFAULT_CONNECTION } from "./tokens.js";

/** Options of `LatchkeyHealthIndicator.isHealthy`. */
export interface LatchkeyHealthOptions {
  /** Time limit of the whole check. @default "1s" */
  readonly timeout?: Duration;
  /** Name of the connection, if the application has several. */
  readonly connection?: string;
  /** Throws the result if it is down, as Terminus 10 and older versions expect. Terminus 11 and later take it as a value. @default false */
  readonly throws?: boolean;
}

/** Progress of a reaction, over all replicas. */
export type ReactionHealth = {
  /** Changes that no replica has taken yet; undefined if the server cannot determine it. */
  readonly lag: number | undefined;
  readonly pending: number;
  readonly deadLetters: number;
};

/** Health of a connection. */
export type LatchkeyHealth = {
  readonly status: "up" | "down";
  /** Why it is down. Contains no address. */
  readonly message?: string;
  /** Code of the error, if an error is the cause. */
  readonly code?: string;
  /** Work of this replica that has ended because of an error: reactions, followers, the sweep. */
  readonly ended?: readonly string[];
  /** Time of one request to the server, in ms. */
  readonly latencyMs?: number;
  readonly role?: ServerRole;
  /** Number of overdue timers by machine. A count that stays above 0 means that no replica sweeps. */
  readonly overdue?: Readonly<Record<string, number>>;
  /** Reactions by `machine/name`. */
  readonly reactions?: Readonly<Record<string, ReactionHealth>>;
};

const OPTIONS: readonly (keyof LatchkeyHealthOptions)[] = ["timeout", "connection", "throws"];

/**
 * Checks a connection, and the work of this replica on it, for health endpoints. The result has the shape of
 * `@nestjs/terminus`, which is not needed. It is down if the server does not reply in time or is a replica, or if a
 * reaction or the sweep of this replica has ended because of an error.
 *
 * @example
 * @Get("health")
 * @HealthCheck()
 * check() { return this.health.check([() => this.latchkey.isHealthy("latchkey")]); }
 */
@Injectable()
export class LatchkeyHealthIndicator {
  readonly #logger = new Logger("LatchkeyHealthIndicator");
  readonly #registry: LatchkeyRegistry;

  constructor(@Inject(LatchkeyRegistry) registry: LatchkeyRegistry) {
    this.#registry = registry;
  }

  /**
   * Checks a connection within `timeout`.
   *
   * @param key the key of the result
   * @returns `{ [key]: { status, latencyMs, role, overdue, reactions } }`; it does not throw, unless the option `throws` is set
   */
  async isHealthy<const K extends string = "latchkey">(
    key: K = "latchkey" as K,
    options: LatchkeyHealthOptions = {},
  ): Promise<Record<K, LatchkeyHealth>> {
    const health = await this.#check(options).catch((error: unknown) => this.#failed(error));
    const result = { [key]: health } as Record<K, LatchkeyHealth>;
    if (health.status === "up" || options?.throws !== true) return result;
    // The marks by which Terminus recognizes its own HealthCheckError.
    throw Object.assign(new Error(`${key} is down`), { isHealthCheckError: true, causes: result });
  }

  async #check(options: LatchkeyHealthOptions): Promise<LatchkeyHealth> {
    checkOptions(options, OPTIONS);
    const { timeout = "1s", connection = DEFAULT_CONNECTION, throws } = options;
    checkFlag("throws", throws);
    const timeoutMs = checkDuration("timeout", timeout);
    const measured = await Deadline.in(timeoutMs).race(this.#measure(connection, timeoutMs));
    const { work } = this.#registry;
    const ended = work.filter((one) => one.connection === connection && one.state === "failed");
    if (ended.length > 0)
      return { status: "down", message: "work has ended", ended: ended.map(({ name }) => name), ...measured };
    if (measured.role === "replica")
      return { status: "down", message: "the server is a replica", ...measured };
    return { status: "up", ...measured };
  }

  async #measure(name: string, timeout: number) {
    const connection = this.#registry.connection(name);
    if (connection === undefined) refuse(`no connection is named "${name}"`);
    const latchkey = await connection.open();
    const machines = await this.#registry.used(connection);
    const [{ latencyMs, role }, overdue, ...reactions] = await Promise.all([
      latchkey.ping({ timeout }),
      latchkey.overdue({ timeout }),
      ...machines.map(async (entities) =>
        (await entities.reactions({ timeout })).map(
          ({ name: reaction, lag, pending, deadLetters }) =>
            [`${entities.name}/${reaction}`, { lag, pending, deadLetters }] as const,
        ),
      ),
    ]);
    return {
      latencyMs: Math.round(latencyMs * 100) / 100,
      role,
      overdue,
      reactions: Object.fromEntries(reactions.flat()),
    };
  }

  #failed(error: unknown): LatchkeyHealth {
    this.#logger.warn(`the health check failed: ${thrownText(error)}`);
    if (!(error instanceof KnownError)) return { status: "down", message: "no reply in time" };
    const { code, message } = errorBody(error);
    return { status: "down", message, code };
  }
}
