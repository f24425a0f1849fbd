import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";

/** `latchkey lua`: the scripts, for callers in other languages and for operators. */
export function register(program: Command, context: CliContext): void {
  const lua = program.command("lua").description("show, load and check the scripts themselves");
  const scripts = () => import("../actions/lua-scripts.js");
  const servers = () => import("../actions/lua-server.js");

  const list = lua
    .command("list")
    .description("every operation: SHA-1, keys, arguments")
    .action(async () => (await scripts()).listScripts(context, settingsOf(list, context)));
  withFormats(list, "table", "json");
  withExamples(list, "latchkey lua list");

  const show = lua
    .command("show <operation>")
    .description("print a script's text, without a newline at its end")
    .action(async (operation: string) => (await scripts()).showScript(context, operation));
  withExamples(show, "latchkey lua show transition > transition.lua");

  const sha = lua
    .command("sha <operation>")
    .description("print a script's SHA-1, which EVALSHA takes")
    .action(async (operation: string) => (await scripts()).showSha(context, operation));
  withExamples(sha, "latchkey lua sha transition");

  const path = lua
    .command("path")
    .description("print the folder that holds the scripts and their manifest")
    .action(async () => (await scripts()).showPath(context));
  withExamples(path, "ls $(latchkey lua path)");

  const load = lua
    .command("load")
    .description("load the scripts into the server")
    .option("--functions", "load them as the Valkey Function library instead")
    .action(async (flags: { readonly functions?: boolean }) =>
      (await servers()).loadScripts(context, settingsOf(load, context), flags.functions === true),
    );
  withFormats(load, "table", "json");
  withExamples(load, "latchkey lua load", "latchkey lua load --functions");

  const check = lua
    .command("check")
    .description("which scripts the server knows; those it does not are loaded when they are needed")
    .action(async () => (await servers()).checkScripts(context, settingsOf(check, context)));
  withFormats(check, "table", "json");
  withExamples(check, "latchkey lua check");

  withExamples(lua, "latchkey lua list", "latchkey lua show transition");
}
