import type { Valkey } from "iovalkey";
import { noteSender, type Redirection, redirectionOf, replyCode } from "../failure.js";

/** A command of iovalkey, as far as its reply can be caught. */
interface Sent {
  readonly name: string;
  inTransaction: boolean;
  reject: (error: Error) => void;
}

/** Handles the commands that a node does not execute. */
export interface Redirects {
  /** Called for a reply MOVED: another node holds the slot. */
  onMoved(to: Redirection): void;
  /** Called for a reply CLUSTERDOWN, or MOVED to an unknown host: the map of slots is out of date. */
  onOutdated(): void;
  /** Returns a client for calls about a slot to the node that receives it. @throws OfflineError */
  asking(to: Redirection): Promise<Valkey>;
}

/**
 * Commands that mean something else at another node, so that their caller sends them again: the clock of a script's NOTAFTER
 * and its cache, and the cursor of ZSCAN, are the node's own. EXEC is the end of a whole transaction. Valkey 9 answers ASK to EXEC,
 * older servers to the commands before it.
 */
const CALLER_RETRIES = new Set(["evalsha", "evalsha_ro", "exec", "zscan"]);

/**
 * Watches the replies of a node's client. MOVED is reported, and rejects the command. A single command that gets ASK, because
 * its key has moved already while the slot still moves, is sent to the node that has the key. Notes the node of each error.
 */
export function watchRedirections(client: Valkey, address: string, redirects: Redirects): void {
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command, stream) => {
    const sent = command as unknown as Sent;
    const { reject } = sent;
    sent.reject = (error) => {
      noteSender(error, address);
      const redirection = redirectionOf(error, client.options.host);
      if (redirection?.kind === "MOVED") redirects.onMoved(redirection);
      else if (["MOVED", "CLUSTERDOWN"].includes(replyCode(error))) redirects.onOutdated();
      const isForCaller = sent.inTransaction || CALLER_RETRIES.has(sent.name.toLowerCase());
      if (redirection?.kind !== "ASK" || isForCaller) return reject.call(sent, error);
      sent.reject = reject;
      redirects.asking(redirection).then(
        (asking) => void asking.sendCommand(command),
        // Not the ASK, after which the caller would ask the receiving node also for keys that it does not have yet.
        (cause: Error) => reject.call(sent, cause),
      );
    };
    return send(command, stream);
  };
}

/** Makes a client send ASKING before each command and each transaction, which a node needs that receives their slot. */
export function sendAsking(client: Valkey): void {
  const send = client.sendCommand.bind(client);
  client.sendCommand = (command, stream) => {
    // Within a transaction, the ASKING before its MULTI counts.
    const isInside = stream !== undefined && command.name !== "multi";
    if (command.name !== "asking" && !isInside) client.call("asking").catch(() => {}); // the command fails too
    return send(command, stream);
  };
}
