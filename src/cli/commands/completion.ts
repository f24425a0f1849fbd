import { Argument, type Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples } from "../input/formats.js";

/** The shells that a completion script can be made for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** `latchkey completion <shell>`: a script that makes a shell complete commands, options, ids and states. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("completion")
    .description("print a script that completes commands, options, ids and next states")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .action(async (shell: (typeof SHELLS)[number]) => {
      const { COMPLETION_SCRIPTS } = await import("../actions/completion-scripts.js");
      await context.write(COMPLETION_SCRIPTS[shell]);
    });
  withExamples(
    command,
    "source <(latchkey completion bash)                                    # bash, and in ~/.bashrc",
    "source <(latchkey completion zsh)                                     # zsh, after compinit",
    "latchkey completion fish > ~/.config/fish/completions/latchkey.fish   # fish",
  );
}
