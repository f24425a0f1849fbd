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
 * @throws Error when one of them is latchkey's own; the message says what to use instead.
 */
export function checkArgs(args: readonly string[]): void {
  for (const arg of args) {
    const instead = RESERVED.get(arg.toLowerCase());
    if (instead !== undefined) throw new Error(`The server argument ${arg} is not accepted: ${instead}.`);
  }
}

/**
 * Checks a TCP port that was asked for.
 * @throws Error when it is no whole number from 1 to 65535.
 */
export function checkPort(port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new Error(
    `The port ${port} is out of range: give a whole number from 1 to 65535, or none for a free one.`,
  );
}
