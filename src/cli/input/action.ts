import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { type Settings, settingsOf } from "./settings.js";

/** Runs a command. `words` are its arguments, and then its options. */
type Action = (context: CliContext, settings: Settings, ...words: never[]) => Promise<void>;

/** Makes the listener of a command, which loads the command's action when it runs. */
export function listener(context: CliContext, load: () => Promise<Action>) {
  return async (...given: unknown[]): Promise<void> => {
    const action = await load();
    // Commander adds the command itself at the end.
    const settings = settingsOf(given.pop() as Command, context);
    await action(context, settings, ...(given as never[]));
  };
}
