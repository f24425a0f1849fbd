import { inspect } from "node:util";
import type { Valkey } from "iovalkey";

/** Commands whose arguments are passwords or script texts. */
const SECRET = new Set(["auth", "script", "AUTH", "SCRIPT"]);

/**
 * Hides passwords and script texts from the output of `DEBUG=ioredis:*`, which shows the arguments of each command that
 * this client sends.
 */
export function hideSecrets(client: Valkey): void {
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command, stream) => {
    if (SECRET.has(command.name)) hide(command.args);
    return send(command, stream);
  };
}

/** Replaces the forms in which a list is printed. The client still reads its elements. */
function hide(args: object): void {
  const value = (): string => "(hidden)";
  for (const name of ["join", "toString", "toJSON", inspect.custom])
    Object.defineProperty(args, name, { value });
}
