import { Valkey } from "iovalkey";
import { scripts } from "latchkey/lua";
import { type HistoryWriter, monotonicMs } from "../history/writer.js";

const KEYS = 6;

/**
 * Records every heartbeat that the server confirms to this process. The library does not report renewals, so they are
 * read from its connection.
 */
export function recordRenewals(process: string, history: HistoryWriter): void {
  const send = Valkey.prototype.sendCommand;
  Valkey.prototype.sendCommand = function (this: Valkey, command, stream): unknown {
    const [sha1, , ...words] = command.args as unknown[];
    if (command.name === "evalsha" && sha1 === scripts.heartbeat.sha1) {
      const at = monotonicMs();
      const id = String(words[KEYS]);
      const record = (reply: unknown): void => {
        const [outcome, document] = reply as [unknown, unknown];
        if (String(outcome) !== "OK") return;
        const { since, version } = JSON.parse(String(document)) as { since: string; version: number };
        history.append({ kind: "renewal", process, id, since, version, at, until: monotonicMs() });
      };
      command.promise.then(record, () => {}); // the caller handles failures
    }
    return send.call(this, command, stream);
  };
}
