import { beforeAll, expect, test } from "vitest";
import { built } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { agentCommandLine, jsonError } from "../helpers/command-line.js";
import { startLatchkey } from "../helpers/long-run.js";
import { startProxy } from "../helpers/proxy.js";
import { useValkey } from "../helpers/valkey.js";

beforeAll(built);

test("wait ends when the entity is in one of the states, and shows it as it was then", async () => {
  const { run, agents, env } = await agentCommandLine();
  await agents.create("a1");
  const waiting = await startLatchkey(["wait", "a1", "failed", "completed", "-o", "json"], env);
  const listening = async () => String(await (await admin()).client("LIST")).includes("name=latchkey-events");
  await expect.poll(listening).toBe(true);
  await agents.transition("a1", "running");
  const done = await agents.transition("a1", "completed");
  const { exit, stdout, stderr } = await waiting.ended;
  expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" });
  expect(JSON.parse(stdout)).toEqual(done);
  expect(await run(["wait", "a1", "completed"])).toEqual({
    exit: 0,
    stdout: "agent/a1 is completed (version 3)\n",
    stderr: "",
  });
});

test.each([
  ["the time is up", ["running", "--timeout", "100ms"], 124, "TIMEDOUT"],
  ["the entity has ended otherwise", ["completed"], 5, "FINAL"],
  ["there is none", ["running"], 4, "NOTFOUND"],
  ["the state is none", ["runing"], 2, "BADARG"],
])("wait ends if %s: %#", async (what, [state = "", ...options], code, error) => {
  const { run, agents } = await agentCommandLine();
  if (what !== "there is none") await agents.create("a1");
  if (error === "FINAL") await agents.transition("a1", "killed");
  const ended = await run(["wait", "a1", state, ...options, "-o", "json"]);
  expect(ended).toMatchObject({ exit: code, stdout: "" });
  expect(jsonError(ended).code).toBe(error);
});

test("wait ends in time if it cannot connect", async () => {
  const { run } = await agentCommandLine();
  const proxy = await startProxy(await useValkey());
  proxy.freeze(true);
  const words = ["wait", "a1", "running", "completed", "--timeout", "300ms"];
  const ended = await run(words, { LATCHKEY_URL: proxy.url });
  expect(ended).toMatchObject({ exit: 124, stdout: "" });
  expect(ended.stderr).toMatch(
    /^error: agent a1 was not running or completed within 300ms; its state is unknown; no reply in time from valkey:\/\/127\.0\.0\.1:\d+\n {2}try: node bin\/latchkey\.js doctor\n$/,
  );
});

test("wait prints a command to try if it fails", async () => {
  const { run, agents } = await agentCommandLine();
  const none = await run(["wait", "a1", "running"]);
  expect(none.stderr).toMatch(/\n {2}try: node bin\/latchkey\.js list\n$/);
  await agents.create("a1");
  await agents.transition("a1", "killed");
  const final = await run(["wait", "a1", "completed"]);
  expect(final.stderr).toBe(
    "error: agent a1 is killed, which is final: no transition leads to completed\n" +
      "  try: node bin/latchkey.js get a1\n",
  );
  const unknown = await run(["wait", "a1", "nope"]);
  expect(unknown.stderr).toMatch(/^error: unknown state "nope"; agent has spawning, running, .*\n$/);
});

test("wait reports the entity and its last state to programs", async () => {
  const { run, agents } = await agentCommandLine();
  const none = await run(["wait", "a1", "running", "-o", "json"]);
  expect(jsonError(none)).toMatchObject({ code: "NOTFOUND", machine: "agent", id: "a1", current: null });
  const current = await agents.create("a1");
  const timedOut = await run(["wait", "a1", "running", "--timeout", "3s", "-o", "json"]);
  const { machine, id, state, version } = current;
  expect(jsonError(timedOut)).toMatchObject({
    ...{ code: "TIMEDOUT", machine: "agent", id: "a1" },
    current: { machine, id, state, version },
  });
});

test("wait takes states as a comma list too", async () => {
  const { run, agents } = await agentCommandLine();
  await agents.create("a1");
  expect(await run(["wait", "a1", "running,spawning", "-o", "name"])).toMatchObject({
    exit: 0,
    stdout: "a1\n",
  });
  expect(await run(["wait", "a1", ","])).toMatchObject({ exit: 2, stdout: "" });
});

test("wait rejects an invalid duration: 2", async () => {
  const { run } = await agentCommandLine();
  expect(await run(["wait", "a1", "running", "--timeout", "soon"])).toMatchObject({ exit: 2, stdout: "" });
});

test("wait is ended by Ctrl-C: 130", async () => {
  const { agents, env } = await agentCommandLine();
  await agents.create("a1");
  const waiting = await startLatchkey(["wait", "a1", "running"], env);
  const listening = async () => String(await (await admin()).client("LIST")).includes("name=latchkey-events");
  await expect.poll(listening).toBe(true);
  waiting.child.kill("SIGINT");
  expect(await waiting.ended).toEqual({ exit: 130, stdout: "", stderr: "" });
});
