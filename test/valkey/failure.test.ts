import { expect, it } from "vitest";
import {
  classifyFailure,
  type Failure,
  mayPass,
  OfflineError,
  replyCode,
  safeMessage,
} from "../../src/valkey/failure.js";

const table: Record<Failure, readonly string[]> = {
  refused: ["BADARG id", "NOMACHINE apply it first", "LAYOUT another one than this script knows"],
  "not-executed": [
    "NOSCRIPT No matching script. Please use EVAL.",
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "NOREPLICAS Not enough good replicas to write.",
    "MISCONF Errors writing to the AOF file: No space left on device",
    "NOPERM User default has no permissions to run the 'evalsha' command",
    "NOPERM publish",
    "NOAUTH Authentication required.",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "LOADING Valkey is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "BUSY Valkey is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "MOVED 15495 127.0.0.1:7001",
    "ASK 15495 127.0.0.1:7001",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "CROSSSLOT Keys in request don't hash to the same slot",
    "CLUSTERDOWN The cluster is down",
    "WRONGTYPE Operation against a key holding the wrong kind of value script: 5f1d, on @user_script:3.",
    "ERR ACL failure in script: User u has no permissions to run the 'hset' command",
    "ERR The user executing the script can't run this command or subcommand script: 5f1d, on @user_script:3.",
    "Stream isn't writeable and enableOfflineQueue options is false",
  ],
  unknown: [
    "Connection is closed.",
    "Command timed out",
    "Command aborted due to connection close",
    'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.',
    "Too many Cluster redirections. Last error: Error: Connection is closed.",
    "Too many Cluster redirections. Last error: ReplyError: MOVED 15495 127.0.0.1:7001",
    "ERR user_script:12: attempt to index a nil value script: 5f1d, on @user_script:12.",
    "UNKILLABLE something",
    "read ECONNRESET",
    "",
    "badarg id",
    "BADARGUMENT",
  ],
};

for (const [failure, texts] of Object.entries(table)) {
  it.each(texts)(`takes %j for ${failure}`, (text) => {
    expect(classifyFailure(new Error(text))).toBe(failure);
  });
}

it.each([undefined, null, "OOM", { message: "OOM" }, 7])(
  "classifies %j, which is not an error, as unknown",
  (thrown) => {
    expect(classifyFailure(thrown)).toBe("unknown");
  },
);

it.each([
  ["OOM command not allowed", "OOM"],
  ["OOM", "OOM"],
  ["Connection is closed.", ""],
  ["Stream isn't writeable", ""],
  ["A", ""],
  ["ERRor", ""],
])("finds the code of %j to be %j", (text, code) => {
  expect(replyCode(new Error(text))).toBe(code);
});

it("finds no code in a text that is not an error", () => {
  expect(replyCode("OOM")).toBe("");
});

it("removes the script from an error text, and shortens a long one", () => {
  const sha = "a".repeat(40);
  expect(safeMessage(new Error(`WRONGTYPE bad kind script: ${sha}, on @user_script:3.`))).toBe(
    "WRONGTYPE bad kind",
  );
  expect(safeMessage(new Error("x".repeat(1000)))).toHaveLength(300);
  expect(safeMessage("text")).toBe("text");
});

it.each([
  [
    'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.',
    "the connection was lost",
  ],
  ["Command aborted due to connection close", "the connection was lost"],
  ["Connection is closed.", "the connection was closed"],
  ["Stream isn't writeable and enableOfflineQueue options is false", "not connected"],
  ["Socket timeout. Expecting data, but didn't receive any in 2500ms.", "the server was silent for 2500 ms"],
  ["Command timed out", "no answer in time"],
  ["connect ETIMEDOUT", "no connection in time"],
  ["Ready check failed: LOADING the data", "LOADING the data"],
  [
    'Protocol error, got "H" as reply type byte. Please report this.',
    "the reply is not in the Valkey protocol",
  ],
  [
    "All sentinels are unreachable. Retrying from scratch after 20ms. Last error: read ECONNRESET",
    "no Sentinel names a primary: read ECONNRESET",
  ],
  ["read ECONNRESET", "read ECONNRESET"],
])("words the client's text %j as %j", (text, words) => {
  expect(safeMessage(new Error(text))).toBe(words);
});

it("words errors of a connection without a text", () => {
  expect(safeMessage(new OfflineError())).toBe("not connected");
  expect(safeMessage(new AggregateError([new Error("connect ECONNREFUSED ::1:1")]))).toBe(
    "an error without a text",
  );
  expect(safeMessage(Object.assign(new AggregateError([]), { code: "ECONNREFUSED" }))).toBe("ECONNREFUSED");
});

it("classifies a discarded transaction by the cause of the discard", () => {
  const named = new Error("EXECABORT Transaction discarded because of: LOADING the data");
  const refusals = Object.assign(new Error("EXECABORT Transaction discarded because of previous errors."), {
    previousErrors: [new Error("BUSY a script runs")],
  });
  expect([named, refusals].map(replyCode)).toEqual(["LOADING", "BUSY"]);
  expect([named, refusals].map(classifyFailure)).toEqual(["not-executed", "not-executed"]);
  expect(safeMessage(refusals)).toBe("BUSY a script runs");
});

it.each([
  ["Connection is closed.", true],
  ["BUSY Valkey is busy running a script.", true],
  ["READONLY You can't write against a read only replica.", true],
  ["Stream isn't writeable and enableOfflineQueue options is false", true],
  ["NOPERM publish", false],
  ["WRONGTYPE Operation against a key holding the wrong kind of value", false],
  ["ERR ACL failure in script: User u has no permissions to run the 'hset' command", false],
  ["ERR The user executing the script can't run this command or subcommand", false],
  ["BADARG id", false],
  ["ERR unknown command 'EVALSHA'", false],
])("knows of %j whether trying again may help", (text, may) => {
  expect(mayPass(new Error(text))).toBe(may);
});
