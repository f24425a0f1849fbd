import { describe, expect, it } from "vitest";
import { inState, MINUTE, SECOND, task } from "../helpers/leased.js";

const WEEK = 604_800_000;

describe("under a newer version of the machine", () => {
  const working = task.states.working;
  const newer = (change: object) => ({
    ...task,
    version: 2,
    states: { ...task.states, working: { ...working, ...change } },
  });

  it("lets a longer timer end later, and a timer that is gone not at all", async () => {
    const location = await inState("working");
    await location.apply(newer({ lease: { ...working.lease, for: MINUTE } }));
    location.pass(30 * SECOND);
    expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await location.score("due", "t1")).toBe(String(location.nowMs + 30 * SECOND));
    await location.apply({ ...newer({ lease: undefined, timeout: undefined }), version: 3 });
    location.pass(WEEK);
    expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await location.score("due", "t1")).toBeNull();
  });

  it("ends a shorter timeout at once if it has passed", async () => {
    const location = await inState("waiting");
    location.pass(2 * MINUTE);
    const waiting = { to: ["working"], timeout: { after: MINUTE, to: "working" } };
    await location.apply({ ...task, version: 2, states: { ...task.states, waiting } });
    expect((await location.ok("expire", "t1")).reason).toMatch(/^timeout of 1m expired at /);
  });

  it.each([20 * SECOND, 1])("gives whoever had no deadline for %i ms a new lease whole", async (ms) => {
    const location = await inState("parked");
    location.pass(ms);
    const parked = { to: ["working", "lost"], lease: { for: SECOND, to: "lost", set: { error: "1" } } };
    await location.apply({ ...task, version: 2, states: { ...task.states, parked } });
    expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await location.score("due", "t1")).toBe(String(location.nowMs + SECOND));
    expect((await location.hash("t1"))["times:ms"]).toMatch(new RegExp(` ${location.nowMs}$`));
    location.pass(SECOND - 1);
    expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
    location.pass(1);
    expect((await location.ok("expire", "t1")).state).toBe("lost");
  });

  const shorter = newer({ lease: { ...working.lease, for: SECOND } });

  it("shortens no lease that somebody reckons with: what was planned stands, then the shorter one counts", async () => {
    const location = await inState("working");
    const planned = location.nowMs + 30 * SECOND;
    await location.apply(shorter);
    for (const passed of [500, 500, 20 * SECOND, 9 * SECOND - 1]) {
      location.pass(passed);
      expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
      expect(await location.score("due", "t1")).toBe(String(planned));
    }
    location.pass(1);
    expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await location.score("due", "t1")).toBe(String(planned + SECOND));
    location.pass(SECOND);
    expect((await location.ok("expire", "t1")).reason).toMatch(/^lease of 1s expired at /);
  });

  it("brings the end of a lease no nearer by a renewal, whose answer may be lost", async () => {
    const location = await inState("working");
    const planned = location.nowMs + 30 * SECOND;
    await location.apply(shorter);
    for (const passed of [10 * SECOND, 19 * SECOND]) {
      location.pass(passed);
      await location.run("heartbeat", "t1");
      expect(await location.score("due", "t1")).toBe(String(planned));
    }
    location.pass(1);
    await location.run("heartbeat", "t1");
    expect(await location.score("due", "t1")).toBe(String(planned + 1));
    location.pass(SECOND);
    expect((await location.ok("expire", "t1")).state).toBe("lost");
  });

  it("ends a shorter timeout at its time, though an older version planned more", async () => {
    const location = await inState("working");
    const since = location.nowMs;
    await location.apply(newer({ ...shorter.states.working, timeout: { after: 20 * SECOND, to: "late" } }));
    location.pass(5 * SECOND);
    expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await location.score("due", "t1")).toBe(String(since + 20 * SECOND));
    location.pass(15 * SECOND);
    expect((await location.ok("expire", "t1")).state).toBe("late");
  });

  it("does not take the past end of an older version's timeout for that of a lease that it brings", async () => {
    const location = await inState("waiting");
    location.pass(2 * 3_600_000);
    const waiting = {
      to: ["working", "late"],
      timeout: { after: WEEK, to: "working" },
      lease: { for: 300, to: "late" },
    };
    await location.apply({ ...task, version: 2, states: { ...task.states, waiting } });
    expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await location.score("due", "t1")).toBe(String(location.nowMs + 300));
    location.pass(300);
    expect((await location.ok("expire", "t1")).state).toBe("late");
  });

  it.each(["99999999999999", "inf"])(
    "puts a place in due of %s right, which no version planned",
    async (score) => {
      const location = await inState("working");
      await location.apply(shorter);
      await location.valkey.zadd(location.key("due"), score, "t1");
      expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
      expect(await location.score("due", "t1")).toBe(String(location.nowMs + SECOND));
    },
  );

  it("still ends a timeout while it gives the lease its time", async () => {
    const location = await inState("working");
    await location.valkey.del(location.key("due"));
    location.pass(2 * MINUTE);
    expect((await location.ok("expire", "t1")).reason).toMatch(/^timeout of 90s expired at /);
  });

  it("leaves alone whoever is in a state that it dropped", async () => {
    const location = await inState("held");
    const { held: _, ...states } = task.states;
    expect((await location.apply({ ...task, version: 2, states }, "MAP", "held", "lost"))[0]).toBe("OK");
    location.pass(WEEK);
    expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await location.score("due", "t1")).toBeNull();
  });
});
