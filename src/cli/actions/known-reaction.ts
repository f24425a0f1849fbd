import type { Entities } from "../../entities.js";
import { CliError } from "../cli-error.js";
import type { Settings } from "../input/settings.js";
import { placeOptions } from "../output/next-steps.js";
import { shellCommand } from "../shell-command.js";

/** @throws CliError NOTFOUND where nobody ever started a reaction */
export async function needReaction(entities: Entities, settings: Settings, name: string): Promise<void> {
  const names = await namesOf(entities);
  if (!names.includes(name)) throw unknownReaction(entities, settings, name, names);
}

/** The same error, for whoever found out otherwise. */
export async function noReaction(entities: Entities, settings: Settings, name: string): Promise<CliError> {
  return unknownReaction(entities, settings, name, await namesOf(entities));
}

async function namesOf(entities: Entities): Promise<string[]> {
  return (await entities.reactions()).map((one) => one.name);
}

function unknownReaction(
  entities: Entities,
  settings: Settings,
  name: string,
  names: readonly string[],
): CliError {
  const others = names.length === 0 ? "none was ever started" : `there are ${names.join(", ")}`;
  return new CliError("NOTFOUND", `${entities.name} has no reaction "${name}"; ${others}`, {
    hint: shellCommand("reactions", [], placeOptions(settings)),
    facts: { reactions: JSON.stringify(names) },
  });
}
