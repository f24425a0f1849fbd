import { Valkey } from "iovalkey";
import { scripts } from "latchkey/lua";
import { type HistoryWriter, monotonicMs } from "../history/writer.js";

/** The part of a command that this file replaces. */
interface Call {
  getKeys(): readonly (string | Buffer)[];
  toWritable(socket: object): string | Buffer;
  resolve(reply: unknown): void;
}

/**
 * Records every heartbeat that the server confirms to this process. The library does not report renewals, so they are
 * read from its connection.
 */
export function recordRenewals(process: string, history: HistoryWriter): void {
  const send = Valkey.prototype.sendCommand;
  Valkey.prototype.sendCommand = function (this: Valkey, command, stream): unknown {
    if (command.name === "evalsha") watchCall(command, process, history);
    return send.call(this, command, stream);
  };
}

function watchCall(call: Call, process: string, history: HistoryWriter): void {
  const [toWritable, resolve] = [call.toWritable.bind(call), call.resolve.bind(call)];
  let sentAt: number | undefined;
  call.toWritable = (socket) => {
    const text = toWritable(socket);
    if (text.includes(scripts.heartbeat.sha1)) sentAt = monotonicMs();
    return text;
  };
  call.resolve = (reply) => {
    if (sentAt !== undefined) record(call, reply, sentAt, process, history);
    resolve(reply);
  };
}

function record(call: Call, reply: unknown, at: number, process: string, history: HistoryWriter): void {
  const [outcome, document] = reply as [unknown, unknown];
  if (String(outcome) !== "OK") return;
  const { since, version } = JSON.parse(String(document)) as { since: string; version: number };
  const id = String(call.getKeys()[0]).split(":id:").slice(1).join(":id:");
  history.append({ kind: "renewal", process, id, since, version, at, until: monotonicMs() });
}
