import { Inject, Injectable, Logger, type OnApplicationBootstrap } from "@nestjs/common";
import { ModuleRef } from "@nestjs/core";
import { checkList, checkOptions, checkWord, refuse, shortText } from "../contract/arguments.js";
import type { Entities } from "../entities.js";
import { ContractError } from "../errors/latchkey-error.js";
import { compileMachine } from "../machine/compile.js";
import { checkedMachine } from "../machine/define.js";
import { didYouMean } from "../machine/suggest.js";
import { eventTypes } from "../reactions/event-types.js";
import { thrownStack, thrownText } from "../valkey/thrown-text.js";
import { ChangeWork } from "./change-work.js";
import { DecoratedMethods, type Marked } from "./decorated-methods.js";
import type { MarkedListener } from "./on-change.js";
import type { MarkedReaction } from "./on-transition.js";
import { LatchkeyRegistry } from "./registry.js";
import { DEFAULT_CONNECTION, getEntitiesToken } from "./tokens.js";
import { TransitionWork } from "./transition-work.js";

/** Starts the work of all methods with `@OnTransition` and `@OnChange` when the application starts. */
@Injectable()
export class HandlerStarter implements OnApplicationBootstrap {
  readonly #logger = new Logger("LatchkeyHandlers");
  readonly #methods: DecoratedMethods;
  readonly #registry: LatchkeyRegistry;
  readonly #moduleRef: ModuleRef;

  constructor(
    @Inject(DecoratedMethods) methods: DecoratedMethods,
    @Inject(LatchkeyRegistry) registry: LatchkeyRegistry,
    @Inject(ModuleRef) moduleRef: ModuleRef,
  ) {
    this.#methods = methods;
    this.#registry = registry;
    this.#moduleRef = moduleRef;
  }

  /** Checks everything, then starts one method after the other. @throws ContractError with class and method */
  async onApplicationBootstrap(): Promise<void> {
    await this.#registry.start(async () => {
      const { reactions, listeners } = this.#methods.find();
      checkNames(reactions);
      const starts = [
        ...reactions.map((marked) => this.#reaction(marked)),
        ...listeners.map((marked) => this.#listener(marked)),
      ];
      for (const start of starts) await start();
    });
  }

  #reaction(marked: Marked<MarkedReaction>): () => Promise<void> {
    const { mark, where, call } = marked;
    const { machine, name, connection = DEFAULT_CONNECTION, onConflict = "fail", ...options } = mark;
    const entities = this.#entities(marked);
    explain(where, () => checkWord("onConflict", onConflict, ["fail", "retry"]));
    const work = new TransitionWork({
      react: (signal) =>
        entities.react(name, async (change, context) => void (await call([change, context])), {
          ...options,
          signal,
        }),
      waits: onConflict === "retry",
      onWait: (error, attempt) => {
        const text = `${where} waits for other replicas to stop: ${error}`;
        if (attempt === 1) this.#logger.warn(text);
        else this.#logger.debug(text);
      },
    });
    return async () => {
      await work.start().catch((error: unknown) => rethrow(where, error));
      this.#registry.add(connection, `reaction ${name} (${where})`, work);
    };
  }

  #listener(marked: Marked<MarkedListener>): () => Promise<void> {
    const { mark, where, call, hasMethod } = marked;
    const { machine, types, connection = DEFAULT_CONNECTION, onMissed, ...rest } = mark;
    const entities = this.#entities(marked);
    explain(where, () => {
      checkOptions(rest, ["connection", "onMissed"]);
      checkTypes(machine, entities, types);
      if (onMissed !== undefined && !hasMethod(onMissed))
        refuse(`onMissed must be the name of a method of the class, not ${shortText(onMissed)}`);
    });
    const work = new ChangeWork({
      onChange: (change) => call([change]),
      onMissed: async () => {
        this.#logger.warn(`${where}: the connection was lost, and changes may have been missed`);
        try {
          if (onMissed !== undefined) await call([], onMissed);
        } catch (error) {
          this.#logger.error(
            `${where}: its method ${onMissed} failed: ${thrownText(error)}`,
            thrownStack(error),
          );
        }
      },
    });
    return async () => {
      await work.start(entities, types).catch((error: unknown) => rethrow(where, error));
      this.#registry.add(connection, `listener ${where}`, work);
    };
  }

  /** Finds the entities of a mark's machine. @throws ContractError if no module provides them */
  #entities({ mark: { machine, connection }, where }: Marked<MarkedReaction | MarkedListener>): Entities {
    const token = explain(where, () => getEntitiesToken(machine, connection));
    try {
      return this.#moduleRef.get<Entities>(token, { strict: false });
    } catch {
      const name = typeof machine === "string" ? machine : machine.name;
      const further = connection === undefined ? "" : `, "${connection}"`;
      refuse(
        `${where}: no module provides the machine "${name}"; import LatchkeyModule.forFeature([${name}]${further}) in one`,
      );
    }
  }
}

/** Checks that no two methods share a reaction. Both would handle a part of its events. */
function checkNames(reactions: readonly Marked<MarkedReaction>[]): void {
  const owners = new Map<string, string>();
  for (const { mark, where } of reactions) {
    const { connection = DEFAULT_CONNECTION, machine, name } = mark;
    const key = `${explain(where, () => getEntitiesToken(machine, connection))} ${name}`;
    const owner = owners.get(key);
    owners.set(key, where);
    if (owner === undefined) continue;
    const advice =
      owner === where
        ? "provide the class in one module, and import that module in the others"
        : "give one of them another name";
    refuse(`${where}: ${owner} has a reaction named ${shortText(name)} too; ${advice}`);
  }
}

/** Checks event types against the definition of this program and the installed one, which differ in a rolling deployment. */
function checkTypes(machine: MarkedListener["machine"], entities: Entities, types: readonly string[]): void {
  checkList("types", types, " of events");
  const own = typeof machine === "string" ? [] : eventTypes(compileMachine(checkedMachine(machine)));
  const known = [...new Set([...own, ...eventTypes(entities.definition)])];
  const unknown = types.find((type) => !known.includes(type));
  if (unknown === undefined) return;
  const suggestion = didYouMean(String(unknown), known) || `; ${entities.name} has ${known.join(", ")}`;
  refuse(`types: unknown event ${shortText(unknown)}${suggestion}`);
}

function explain<T>(where: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    rethrow(where, error);
  }
}

/** Adds class and method to the message of an invalid call. */
function rethrow(where: string, error: unknown): never {
  if (!(error instanceof ContractError)) throw error;
  throw new ContractError(error.code, `${where}: ${error.message}`, { cause: error });
}
