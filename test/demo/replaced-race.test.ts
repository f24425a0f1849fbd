import { expect, test } from "vitest";
import type { Call } from "../../demo/messages.js";
import { count } from "../../demo/replaced-race.js";
import type { AgentEvent, StoredAgent } from "../../demo/replaced-service.js";

const call = (id: string, to: string, outcome = "OK"): Call => ({ id, to, outcome, version: 0, state: to });
const event = (agentId: string, type: AgentEvent["type"]): AgentEvent => ({
  agentId,
  type,
  taskId: "t1",
  timestamp: "2026-11-22T10:00:00.000Z",
});
const stored = (agentId: string, status: StoredAgent["status"]): StoredAgent => ({
  agentId,
  taskId: "t1",
  status,
});

test("counts nothing in a race in which every transition has one winner and one event", () => {
  const calls = [call("a1", "running"), call("a1", "running", "REJECTED"), call("a1", "completed")];
  const events = [event("a1", "agent.running"), event("a1", "agent.completed")];
  expect(count(1, calls, events, [stored("a1", "completed")])).toEqual({
    agents: 1,
    wonTwice: 0,
    endedTwice: 0,
    contradictions: 0,
  });
});

test("counts a transition with two winners, an agent with two ends, and an end that was overwritten", () => {
  const calls = [call("a1", "running"), call("a1", "running"), call("a1", "completed"), call("a1", "killed")];
  const events = [event("a1", "agent.running"), event("a1", "agent.completed"), event("a1", "agent.killed")];
  expect(count(1, calls, events, [stored("a1", "killed")])).toEqual({
    agents: 1,
    wonTwice: 1,
    endedTwice: 1,
    contradictions: 1,
  });
});
