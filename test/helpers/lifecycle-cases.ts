import { describe, expect, it } from "vitest";
import { admin } from "./calls.js";
import { rejection } from "./client.js";
import { record } from "./recorder.js";

export type Status = "spawning" | "running" | "completed" | "failed" | "killed";
type Target = Exclude<Status, "spawning">;

export interface AgentRecord {
  readonly agentId: string;
  readonly taskId: string;
  readonly status: Status;
  readonly startedAt?: string;
  readonly completedAt?: string;
  error?: string;
  readonly metadata?: unknown;
}

/** The methods of an agent lifecycle service, in-process or on latchkey. */
export interface LifecycleService {
  registerSpawnedAgent(agentId: string, taskId: string): Promise<AgentRecord>;
  transitionToRunning(agentId: string): Promise<AgentRecord>;
  transitionToCompleted(agentId: string): Promise<AgentRecord>;
  transitionToFailed(agentId: string, error: string): Promise<AgentRecord>;
  transitionToKilled(agentId: string): Promise<AgentRecord>;
  getAgentLifecycleState(agentId: string): Promise<AgentRecord | null>;
  listAgentLifecycleStates(): Promise<AgentRecord[]>;
}

/** A service in a namespace of its own. */
export interface LifecycleSubject {
  readonly service: LifecycleService;
  /** Stores an agent past the service's methods. */
  plant(agent: AgentRecord): Promise<void>;
  readonly channel: string;
  /** Ids of the agents whose cleanup was scheduled, oldest first. */
  readonly ended: readonly string[];
}

type Event = Record<string, unknown> & { type: string; timestamp: string };

const ISO = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const STATUSES = ["spawning", "running", "completed", "failed", "killed"] as const;
const ENDS = ["completed", "failed", "killed"] as const;
const SOURCES: Record<Target, readonly Status[]> = {
  running: ["spawning"],
  completed: ["running"],
  failed: ["spawning", "running"],
  killed: ["spawning", "running"],
};
const TARGETS = Object.keys(SOURCES) as Target[];

function move(service: LifecycleService, to: Target, agentId = "a1"): Promise<AgentRecord> {
  switch (to) {
    case "running":
      return service.transitionToRunning(agentId);
    case "completed":
      return service.transitionToCompleted(agentId);
    case "failed":
      return service.transitionToFailed(agentId, "exit 137");
    case "killed":
      return service.transitionToKilled(agentId);
  }
}

function statusesOf(results: PromiseSettledResult<unknown>[]): string[] {
  return results.map(({ status }) => status);
}

/**
 * Registers the 58 cases that every agent lifecycle service passes, in-process or on latchkey; `open` is called inside each
 * test. The three cases in which they differ on purpose are in the test of each.
 */
export function describeLifecycle(name: string, open: () => Promise<LifecycleSubject>): void {
  async function start(status?: Status, more: Partial<AgentRecord> = {}) {
    const subject = await open();
    if (status !== undefined) await subject.plant({ agentId: "a1", taskId: "t1", status, ...more });
    const { published } = await record(await admin(), subject.channel);
    const events = async () => (await published()).map((message) => JSON.parse(message) as Event);
    return { ...subject, events };
  }

  describe(`${name}: registration`, () => {
    const spawned = { agentId: "a1", taskId: "t1", status: "spawning" };

    it("stores a spawning agent and returns it", async () => {
      const { service } = await start();
      expect(await service.registerSpawnedAgent("a1", "t1")).toEqual(spawned);
      expect(await service.getAgentLifecycleState("a1")).toEqual(spawned);
    });

    it("publishes agent.spawned with agent, task and time", async () => {
      const { service, events } = await start();
      await service.registerSpawnedAgent("a1", "t1");
      const event = { type: "agent.spawned", agentId: "a1", taskId: "t1", timestamp: ISO };
      expect(await events()).toEqual([expect.objectContaining(event)]);
    });
  });

  describe.each(TARGETS)(`${name}: a transition to %s`, (to) => {
    const illegal = STATUSES.filter((from) => !SOURCES[to].includes(from));

    it.each(SOURCES[to])("is stored and returned for a %s agent", async (from) => {
      const { service } = await start(from);
      const agent = await move(service, to);
      expect(agent).toMatchObject({ agentId: "a1", taskId: "t1", status: to });
      expect(await service.getAgentLifecycleState("a1")).toEqual(agent);
    });

    it.each(SOURCES[to])("publishes one event for a %s agent", async (from) => {
      const { service, events } = await start(from);
      await move(service, to);
      const published = await events();
      const event = { type: `agent.${to}`, agentId: "a1", taskId: "t1", timestamp: ISO };
      expect(published).toEqual([expect.objectContaining(event)]);
      expect(published[0]?.error).toBe(to === "failed" ? "exit 137" : undefined);
    });

    it.each(illegal)("is rejected for a %s agent, without change, event or cleanup", async (from) => {
      const { service, events, ended } = await start(from);
      const before = await service.getAgentLifecycleState("a1");
      const { message } = await rejection(move(service, to));
      expect(message).toBe(`Invalid state transition from ${from} to ${to}`);
      expect(await service.getAgentLifecycleState("a1")).toEqual(before);
      expect(await events()).toEqual([]);
      expect(ended).toEqual([]);
    });

    it("is rejected for an agent that does not exist", async () => {
      const { service, ended } = await start();
      expect((await rejection(move(service, to))).message).toBe("Agent a1 not found");
      expect(ended).toEqual([]);
    });
  });

  describe(`${name}: fields`, () => {
    it("startedAt is set when the agent runs", async () => {
      const { service } = await start("spawning");
      expect((await service.transitionToRunning("a1")).startedAt).toEqual(ISO);
    });

    it("an existing startedAt is kept", async () => {
      const startedAt = "2025-11-05T08:30:00Z";
      const { service } = await start("spawning", { startedAt });
      expect((await service.transitionToRunning("a1")).startedAt).toBe(startedAt);
    });

    it.each(ENDS)("completedAt is set when the agent is %s, and startedAt is kept", async (to) => {
      const { service } = await start("spawning");
      const { startedAt } = await service.transitionToRunning("a1");
      await move(service, to);
      expect(await service.getAgentLifecycleState("a1")).toMatchObject({ startedAt, completedAt: ISO });
    });

    it("the error text of a failure is stored", async () => {
      const { service } = await start("running");
      expect((await service.transitionToFailed("a1", "out of memory")).error).toBe("out of memory");
      expect((await service.getAgentLifecycleState("a1"))?.error).toBe("out of memory");
    });

    it("metadata is kept by every transition", async () => {
      const metadata = { host: { tags: [] }, load: 0.25 };
      const { service } = await start("spawning", { metadata });
      expect((await service.transitionToRunning("a1")).metadata).toEqual(metadata);
      expect((await service.transitionToCompleted("a1")).metadata).toEqual(metadata);
    });

    it("an empty error text is stored", async () => {
      const { service } = await start("running");
      expect((await service.transitionToFailed("a1", "")).error).toBe("");
    });

    it("a failure without an error text ends the agent", async () => {
      const { service } = await start("running");
      const absent = undefined as unknown as string; // JavaScript callers do this
      expect((await service.transitionToFailed("a1", absent)).status).toBe("failed");
      expect((await service.getAgentLifecycleState("a1"))?.status).toBe("failed");
    });

    it("an event has the time of the change or a later one", async () => {
      const { service, events } = await start("spawning");
      const { startedAt = "" } = await service.transitionToRunning("a1");
      const [event] = await events();
      expect(Date.parse(event?.timestamp ?? "")).toBeGreaterThanOrEqual(Date.parse(startedAt));
    });
  });

  describe(`${name}: reads`, () => {
    it("an agent is returned as stored", async () => {
      const { service } = await start("running");
      const expected = { agentId: "a1", taskId: "t1", status: "running" };
      expect(await service.getAgentLifecycleState("a1")).toMatchObject(expected);
    });

    it("null is returned for an agent that does not exist", async () => {
      expect(await (await start()).service.getAgentLifecycleState("a1")).toBeNull();
    });

    it("a list contains every agent, whatever its state", async () => {
      const { service, plant } = await start("running");
      await plant({ agentId: "a2", taskId: "t2", status: "completed" });
      await plant({ agentId: "a3", taskId: "t3", status: "spawning" });
      const agents = await service.listAgentLifecycleStates();
      expect(agents.map(({ agentId, status }) => `${agentId} ${status}`).sort()).toEqual([
        "a1 running",
        "a2 completed",
        "a3 spawning",
      ]);
    });

    it("a list of no agents is empty", async () => {
      expect(await (await start()).service.listAgentLifecycleStates()).toEqual([]);
    });

    it("a returned agent belongs to the caller, who may change it", async () => {
      const { service } = await start("running");
      const agent = await service.getAgentLifecycleState("a1");
      if (agent !== null) agent.error = "noted";
      expect(agent?.error).toBe("noted");
      expect((await service.getAgentLifecycleState("a1"))?.error).toBeUndefined();
    });
  });

  describe(`${name}: session cleanup`, () => {
    it.each(ENDS)("is scheduled once when the agent is %s", async (to) => {
      const { service, ended } = await start("running");
      await move(service, to);
      expect(ended).toEqual(["a1"]);
    });

    it("is not scheduled when the agent begins to run", async () => {
      const { service, ended } = await start("spawning");
      await service.transitionToRunning("a1");
      expect(ended).toEqual([]);
    });

    it("is not scheduled by a rejected transition", async () => {
      const { service, ended } = await start("spawning");
      await rejection(service.transitionToCompleted("a1"));
      expect(ended).toEqual([]);
    });

    it("accompanies the one event of the end", async () => {
      const { service, events, ended } = await start("running");
      await service.transitionToKilled("a1");
      expect([(await events()).length, ended.length]).toEqual([1, 1]);
    });
  });

  describe(`${name}: concurrent calls in one process`, () => {
    it("take effect in call order for one agent", async () => {
      const { service, events } = await start("spawning");
      await Promise.all([service.transitionToRunning("a1"), service.transitionToCompleted("a1")]);
      expect((await events()).map(({ type }) => type)).toEqual(["agent.running", "agent.completed"]);
    });

    it("that exclude each other: the second is rejected with the state that won", async () => {
      const { service, ended } = await start("running");
      const completed = service.transitionToCompleted("a1");
      const { message } = await rejection(service.transitionToKilled("a1"));
      expect(message).toBe("Invalid state transition from completed to killed");
      expect((await completed).status).toBe("completed");
      expect(ended).toEqual(["a1"]);
    });

    it("for different agents are all accepted", async () => {
      const { service, plant } = await start();
      const ids = ["a1", "a2", "a3"];
      for (const agentId of ids) await plant({ agentId, taskId: "t1", status: "spawning" });
      const agents = await Promise.all(ids.map((id) => service.transitionToRunning(id)));
      expect(agents.map(({ status }) => status)).toEqual(["running", "running", "running"]);
    });

    it("are not blocked by a rejected call", async () => {
      const { service } = await start("spawning");
      const results = [service.transitionToCompleted("a1"), service.transitionToRunning("a1")];
      expect(statusesOf(await Promise.allSettled(results))).toEqual(["rejected", "fulfilled"]);
      expect((await service.transitionToKilled("a1")).status).toBe("killed");
    });

    it("for the same transition: one of ten is accepted", async () => {
      const { service } = await start("spawning");
      const calls = Array.from({ length: 10 }, () => service.transitionToRunning("a1"));
      const accepted = statusesOf(await Promise.allSettled(calls)).filter((s) => s === "fulfilled");
      expect(accepted).toHaveLength(1);
    });
  });
}
