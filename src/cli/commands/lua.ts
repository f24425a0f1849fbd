import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** Adds `latchkey lua` and its subcommands. */
export function register(program: Command, context: CliContext): void {
  const lua = program.command("lua").description("show, load and check the Lua scripts");
  const actions = () => import("../actions/lua.js");

  const list = lua
    .command("list")
    .description("list every operation with its SHA-1, keys and arguments")
    .action(async () => (await actions()).listScripts(context, settingsOf(list, context)));
  withFormats(list, "table", "json");
  withExamples(list, "latchkey lua list");

  const show = lua
    .command("show <operation>")
    .description("print the text of a script, without a final newline")
    .action(async (operation: string) => (await actions()).showScript(context, operation));
  withExamples(show, "latchkey lua show transition > transition.lua");

  const sha = lua
    .command("sha <operation>")
    .description("print the SHA-1 of a script, for EVALSHA")
    .action(async (operation: string) => (await actions()).showSha(context, operation));
  withExamples(sha, "latchkey lua sha transition");

  const path = lua
    .command("path")
    .description("print the folder of the scripts and their manifest")
    .action(async () => (await actions()).showPath(context));
  withExamples(path, "ls $(latchkey lua path)");

  const load = lua
    .command("load")
    .description("load the scripts into the server")
    .option("--functions", "load the Valkey Function library instead")
    .action(async (flags: { readonly functions?: boolean }) =>
      (await actions()).loadScripts(context, settingsOf(load, context), flags),
    );
  withFormats(load, "table", "json");
  withExamples(load, "latchkey lua load", "latchkey lua load --functions");

  const check = lua
    .command("check")
    .description("show which scripts the server has; a client loads a missing one when it needs it")
    .action(async () => (await actions()).checkScripts(context, settingsOf(check, context)));
  withFormats(check, "table", "json");
  withExamples(check, "latchkey lua check");

  withExamples(lua, "latchkey lua list", "latchkey lua show transition");
}
