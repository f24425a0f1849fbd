import { Inject, Injectable, Logger, type OnApplicationBootstrap } from "@nestjs/common";
import { DiscoveryService } from "@nestjs/core";
import { refuse } from "../contract/arguments.js";
import type { Entities } from "../entities.js";
import { thrownStack, thrownText } from "../valkey/thrown-text.js";
import { LatchkeyRegistry } from "./registry.js";

/** The methods of EventEmitter2 that are used. */
interface Emitter {
  emitAsync(event: string, value: unknown): Promise<unknown>;
}

/** Emits changes on the application's EventEmitter2, for connections with the option `eventEmitter`. */
@Injectable()
export class EventBridge implements OnApplicationBootstrap {
  readonly #logger = new Logger("LatchkeyEventBridge");
  readonly #discovery: DiscoveryService;
  readonly #registry: LatchkeyRegistry;

  constructor(
    @Inject(DiscoveryService) discovery: DiscoveryService,
    @Inject(LatchkeyRegistry) registry: LatchkeyRegistry,
  ) {
    this.#discovery = discovery;
    this.#registry = registry;
  }

  /** @throws ContractError if no module has an EventEmitter2 */
  async onApplicationBootstrap(): Promise<void> {
    await this.#registry.start(async () => {
      for (const name of this.#registry.names) {
        const connection = this.#registry.connection(name);
        if (connection?.hasEventEmitter !== true) continue;
        const emitter = this.#findEmitter();
        for (const entities of await this.#registry.used(connection))
          await this.#follow(name, entities, emitter);
      }
    });
  }

  async #follow(connection: string, entities: Entities, emitter: Emitter): Promise<void> {
    const aborting = new AbortController();
    const follower = await entities.follow((change) => this.#emit(emitter, change.type, change), {
      signal: aborting.signal,
      onMissed: (gap) => void this.#emit(emitter, "latchkey.missed", gap),
    });
    this.#registry.add(connection, `events of ${entities.name}`, {
      ended: follower.closed,
      stop: () => follower.close(),
      abort: (reason) => aborting.abort(reason),
    });
  }

  /** Emits one event. A listener that fails is logged; the others would hear the event again if it were retried. */
  async #emit(emitter: Emitter, event: string, value: unknown): Promise<void> {
    try {
      await emitter.emitAsync(event, value);
    } catch (error) {
      this.#logger.error(`a listener of ${event} failed: ${thrownText(error)}`, thrownStack(error));
    }
  }

  /** Finds the emitter by the methods of its class: an import would load a package that other applications do not have. */
  #findEmitter(): Emitter {
    const wrapper = this.#discovery
      .getProviders()
      .find(({ token, instance }) => isEmitterClass(token) && instance);
    if (wrapper !== undefined) return wrapper.instance as Emitter;
    refuse(
      "the option eventEmitter needs @nestjs/event-emitter; import EventEmitterModule.forRoot() in a module of the application",
    );
  }
}

/** Returns whether a token is the class EventEmitter2. Instances are not looked at, because some are proxies. */
function isEmitterClass(token: unknown): boolean {
  const prototype: unknown = typeof token === "function" ? token.prototype : undefined;
  return (
    typeof prototype === "object" && prototype !== null && "emitAsync" in prototype && "onAny" in prototype
  );
}
