import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withExamples } from "../input/formats.js";
import { wholeNumber } from "../input/option-values.js";

/** Adds `latchkey dev`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("dev")
    .summary("start a Valkey server for development")
    .description(
      "Starts a Valkey server on this machine, installs the agent machine, and keeps the server running until Ctrl-C. " +
        "The server is the first of: --server-bin, LATCHKEY_VALKEY_BIN, valkey-server, redis-server, a container " +
        "whose image is present. If --url, LATCHKEY_URL, VALKEY_URL or REDIS_URL names a running server, no server is " +
        "started. --port, --data and --server-bin override these variables.",
    )
    .option("--port <port>", "TCP port on 127.0.0.1 (default: a free one)", wholeNumber(1, 65_535))
    .option("--data <dir>", "keep the data in this folder, append-only (default: in memory)")
    .option("--append-only", "write every change to the folder of --data; implied by --data")
    .option("--server-bin <file>", "server program")
    .action(listener(context, async () => (await import("../actions/dev.js")).runDev));
  withExamples(command, "latchkey dev", "latchkey dev --port 6379 --data ./data --append-only");
}
