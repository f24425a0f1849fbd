import { isError } from "../errors/is-error.js";
import { ContractError } from "../errors/latchkey-error.js";
import { replyCode, safeMessage } from "../valkey/failure.js";

/**
 * Explains an error reply of `take` after which a reaction cannot continue in this replica.
 *
 * @param types the event types of this replica
 * @returns undefined for any other error
 */
export function endError(error: unknown, name: string, types: readonly string[]): ContractError | undefined {
  switch (replyCode(error)) {
    case "OTHERON": {
      const [theirs, ours] = [safeMessage(error).split(" ").slice(1), types].map(
        (list) => list.join(", ") || "all events",
      );
      // Whichever replica takes an event decides for all if it is handled, so all must use the same types.
      return new ContractError(
        "BADARG",
        `reaction ${name} runs with another "on" in other replicas: theirs is ${theirs}, this one's is ${ours}; ` +
          "use another name, or stop those replicas first (a killed one counts until takeOverAfter has passed)",
        { cause: new Error(`OTHERON ${theirs}`) },
      );
    }
    case "FORGOTTEN":
      return gone(name, "was forgotten while this replica sent no heartbeat");
    case "GONE":
      return gone(name, "was forgotten or lost while this replica sent no heartbeat for more than a day");
    default:
      return undefined;
  }
}

/** Returns whether a reaction is rejected because running replicas use other event types. It can start when they stop. */
export function isOtherEvents(error: unknown): boolean {
  return isError(error) && replyCode(error.cause) === "OTHERON";
}

function gone(name: string, what: string): ContractError {
  return new ContractError(
    "NOREACTION",
    `reaction ${name} ${what}; start it again only if it may begin anew`,
  );
}
