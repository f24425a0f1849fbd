import { checkWhole, refuse } from "../contract/arguments.js";

/** Server arguments that latchkey sets itself, or that would hide the server from it. */
const RESERVED = new Map([
  ["--port", "use the option port"],
  ["--dir", "use the option dataDir"],
  ["--appendonly", "use the option appendOnly"],
  ["--daemonize", "the server must stay a child of this process"],
  ["--supervised", "the server must stay a child of this process"],
  ["--logfile", "latchkey reads the server's output"],
  ["--loglevel", "latchkey reads the server's output"],
]);

/**
 * Checks the extra arguments of a server.
 * @throws ContractError if latchkey sets one of them itself; the message names the alternative.
 */
export function checkArgs(args: readonly string[]): void {
  for (const arg of args) {
    const instead = RESERVED.get(arg.toLowerCase());
    if (instead !== undefined) refuse(`the server argument ${arg} is not accepted: ${instead}`);
  }
}

/** Checks a TCP port. */
export function checkPort(port: number): number {
  return checkWhole("port", port, 1, 65_535);
}
