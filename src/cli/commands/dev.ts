import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples } from "../input/formats.js";
import { numberWithin } from "../input/number-within.js";
import { settingsOf } from "../input/settings.js";

/** Options of `dev`. */
export interface DevFlags {
  readonly port?: number;
  readonly data?: string;
  readonly appendOnly?: boolean;
  readonly serverBin?: string;
}

/** `dev`: keeps a server running while one develops. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("dev")
    .summary("keep a server running for development")
    .description(
      "Starts a Valkey server on this machine, installs the agent machine, and keeps the server running until Ctrl-C. " +
        "The server is the program given by --server-bin, else by LATCHKEY_VALKEY_BIN, else valkey-server, else " +
        "redis-server, else a container whose image is present. Where --url, LATCHKEY_URL, VALKEY_URL or REDIS_URL " +
        "names a running server, nothing is started; the options below beat the environment.",
    )
    .option("--port <port>", "TCP port on 127.0.0.1 (default: a free one)", numberWithin(1, 65_535))
    .option("--data <dir>", "keep the data in this folder, append-only (default: in memory, lost at the end)")
    .option("--append-only", "write every change to the folder of --data, which does so by itself")
    .option("--server-bin <file>", "the server program")
    .action(async (flags: DevFlags) => {
      const settings = settingsOf(command, context);
      const { dev } = await import("../actions/dev.js");
      await dev(settings, flags, context);
    });
  withExamples(command, "latchkey dev", "latchkey dev --port 6379 --data ./data --append-only");
}
