import { Argument, type Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples } from "../input/formats.js";

/** Adds `latchkey completion <shell>`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("completion")
    .description("print a completion script for commands, options, IDs and next states")
    .addArgument(new Argument("<shell>", "the shell").choices(["bash", "zsh", "fish"]))
    .action(async (shell: "bash" | "zsh" | "fish") => {
      const { printCompletion } = await import("../actions/completion.js");
      await printCompletion(context, shell);
    });
  withExamples(
    command,
    "source <(latchkey completion bash)                                    # bash, and in ~/.bashrc",
    "source <(latchkey completion zsh)                                     # zsh, after compinit",
    "latchkey completion fish > ~/.config/fish/completions/latchkey.fish   # fish",
  );
}
