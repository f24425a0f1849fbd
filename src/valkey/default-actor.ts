import { refuse, shortText } from "../contract/arguments.js";
import { type Logger, silentLogger } from "./logger.js";
import { thrownText } from "./thrown-text.js";

/** Names who makes a change: a text, or a function that returns it. */
export type DefaultActor = string | (() => string | undefined);

/**
 * Makes the function that returns who makes a change. A function of the caller that fails costs the name, not the change,
 * and is reported once.
 *
 * @throws ContractError with code BADARG if the actor is neither text nor a function
 */
export function currentActor(actor: DefaultActor | undefined, logger: Logger): () => string | undefined {
  if (actor === undefined || typeof actor === "string") return () => actor;
  if (typeof actor !== "function")
    refuse(`actor must be text or a function that returns text, not ${shortText(actor)}`);
  let isReported = false;
  const report = (problem: string): undefined => {
    if (!isReported) warn(logger, `changes are stored without an actor: the function actor ${problem}`);
    isReported = true;
  };
  return () => {
    try {
      const name: unknown = actor();
      if (name == null || typeof name === "string") return name ?? undefined;
      return report(`returned ${shortText(name)} instead of text`);
    } catch (error) {
      return report(`failed: ${thrownText(error)}`);
    }
  };
}

function warn(logger: Logger, message: string): void {
  if (logger === silentLogger) process.emitWarning(message, { code: "LATCHKEY_ACTOR" });
  else logger.warn({}, message);
}
