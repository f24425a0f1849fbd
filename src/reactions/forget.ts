import { checkFlag, checkOptions } from "../contract/arguments.js";
import { ReactionInUseError } from "../errors/reaction-in-use-error.js";
import { ask } from "../valkey/ask.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { type ForgottenReaction, forgetReaction } from "./forget-partition.js";
import { checkReaction } from "./react.js";

/** How to forget a reaction. */
export interface ForgetOptions {
  /** Throws its dead letters and unfinished events away too. Replicas that live are in the way all the same. @default false */
  readonly force?: boolean;
}

const OPTIONS: ReadonlySet<string> = new Set<keyof ForgetOptions>(["force"]);

/** Removes a reaction, unless it is in use. */
export async function forget(
  { connection, location }: MachineStore,
  name: string,
  options: ForgetOptions,
): Promise<ForgottenReaction | null> {
  checkReaction(name);
  checkOptions(options, OPTIONS);
  const { force = false } = options;
  checkFlag("force", force);
  const found = await forgetReaction(
    (question) => ask(connection, `forgetting reaction ${name}`, question),
    location,
    name,
    force,
  );
  if (found === undefined) return null;
  if (!found.isForgotten) throw new ReactionInUseError(location.machine, name, found);
  const { lag, pending, deadLetters, consumers } = found;
  const forgotten = { name, lag, pending, deadLetters, consumers };
  connection.logger.info({ machine: location.machine, ...forgotten }, "a reaction was forgotten");
  return forgotten;
}
