import { Inject, Injectable } from "@nestjs/common";
import { DiscoveryService, MetadataScanner } from "@nestjs/core";
import { refuse } from "../contract/arguments.js";
import { listenerMarks, type MarkedListener } from "./on-change.js";
import { type MarkedReaction, reactionMarks } from "./on-transition.js";

type Wrapper = ReturnType<DiscoveryService["getProviders"]>[number];

/** A mark on a method of an instance. */
export interface Marked<T> {
  readonly mark: T;
  /** Class and method, for messages. */
  readonly where: string;
  /** Calls a method of the instance, by default the marked one. */
  readonly call: (args: readonly unknown[], method?: string) => unknown;
  readonly hasMethod: (name: string) => boolean;
}

/** All marked methods of an application. */
export interface MarkedMethods {
  readonly reactions: readonly Marked<MarkedReaction>[];
  readonly listeners: readonly Marked<MarkedListener>[];
}

/** Finds the methods of providers and controllers that `@OnTransition` and `@OnChange` mark. */
@Injectable()
export class DecoratedMethods {
  readonly #discovery: DiscoveryService;
  readonly #scanner: MetadataScanner;

  constructor(
    @Inject(DiscoveryService) discovery: DiscoveryService,
    @Inject(MetadataScanner) scanner: MetadataScanner,
  ) {
    this.#discovery = discovery;
    this.#scanner = scanner;
  }

  /** @throws ContractError if a marked method belongs to a provider that has no single instance */
  find(): MarkedMethods {
    const reactions: Marked<MarkedReaction>[] = [];
    const listeners: Marked<MarkedListener>[] = [];
    const seen = new Set<unknown>();
    for (const wrapper of [...this.#discovery.getProviders(), ...this.#discovery.getControllers()]) {
      const { instance } = wrapper;
      const prototype = prototypeOf(wrapper);
      if (prototype === null || seen.has(instance)) continue;
      if (instance !== undefined && instance !== null) seen.add(instance); // an alias has the same instance
      for (const name of this.#scanner.getAllMethodNames(prototype)) {
        const method: unknown = Reflect.get(prototype, name);
        const [own, heard] = [reactionMarks.of(method), listenerMarks.of(method)];
        if (own.length + heard.length === 0) continue;
        const where = `${prototype.constructor.name}.${name}`;
        checkScope(wrapper, where);
        const at = {
          where,
          call: (args: readonly unknown[], other = name): unknown =>
            (Reflect.get(instance, other) as (...args: unknown[]) => unknown).apply(instance, [...args]),
          hasMethod: (other: string): boolean => typeof Reflect.get(instance, other) === "function",
        };
        reactions.push(...own.map((mark) => ({ ...at, mark })));
        listeners.push(...heard.map((mark) => ({ ...at, mark })));
      }
    }
    return { reactions, listeners };
  }
}

/** Returns the prototype of a provider's instance; of its class if it has no instance yet; null for other values. */
function prototypeOf({ instance, metatype, inject }: Wrapper): object | null {
  if (typeof instance === "object" && instance !== null)
    return Object.getPrototypeOf(instance) as object | null;
  // Without `inject` the function is a class; with it, a factory.
  return instance === undefined && inject === undefined
    ? ((metatype?.prototype as object | undefined) ?? null)
    : null;
}

function checkScope(wrapper: Wrapper, where: string): void {
  const scope = wrapper.isTransient
    ? "transient"
    : wrapper.isDependencyTreeStatic()
      ? undefined
      : "request-scoped";
  if (scope === undefined) return;
  refuse(
    `${where}: the provider is ${scope}, so it has no instance that handles events; ` +
      "move the method to a provider of the default scope",
  );
}
