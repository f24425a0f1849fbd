import { describe, expect, it } from "vitest";
import {
  ApplyInterruptedError,
  agent,
  ContractError,
  compileMachine,
  connect,
  IllegalTransitionError,
  LayoutError,
  type MachineDefinition,
  MachineDefinitionError,
  MachineInUseError,
  MissingFieldError,
  partitionOf,
} from "../../src/index.js";
import { scripts } from "../../src/lua/index.js";
import { applyKeys } from "../../src/valkey/keys.js";
import { enteredAt } from "../helpers/age.js";
import { admin } from "../helpers/calls.js";
import { all, client, rejection, rejectionOf } from "../helpers/client.js";
import { keyspace } from "../helpers/keyspace.js";
import { startProxy } from "../helpers/proxy.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const job: MachineDefinition = {
  name: "job",
  version: 1,
  initial: "queued",
  states: {
    queued: { to: ["active", "paused"] },
    paused: { to: ["queued"] },
    active: { to: ["done"] },
    done: {},
  },
};

/** The machine without state `paused`. */
const job2: MachineDefinition = {
  ...job,
  version: 2,
  states: { queued: { to: ["active"] }, active: { to: ["done"] }, done: { stamp: "doneAt" } },
};

describe("apply", () => {
  it("installs a machine once, and returns what it did", async () => {
    const home = await client();
    expect(home.partitions).toBeUndefined();
    const first = await home.apply(job);
    expect(first).toEqual({
      machine: "job",
      version: 1,
      before: null,
      changed: true,
      differences: [],
      retired: {},
      moved: 0,
    });
    expect(home.partitions).toBe(1);
    const before = await keyspace(await admin(), home.namespace);
    expect(await home.apply(job)).toEqual({ ...first, before: 1, changed: false });
    expect(await keyspace(await admin(), home.namespace)).toEqual(before);
    expect((await home.definition("job"))?.definition).toEqual(compileMachine(job));
    expect(await home.machines()).toEqual(["job"]);
    await home.machine(agent());
    expect(await home.machines()).toEqual(["agent", "job"]);
  });

  it("installs a newer version, and returns the differences", async () => {
    const home = await client();
    await home.apply(job);
    const dry = await home.apply(job2, { dryRun: true });
    expect(dry).toMatchObject({ before: 1, version: 2, changed: true, moved: 0 });
    expect(dry.differences).toContain("states.paused: removed");
    expect(dry.differences).toContain("states.done.stamp: none -> doneAt");
    expect((await home.definition("job"))?.definition.version).toBe(1);
    expect(await home.apply(job2)).toEqual(dry);
    expect((await home.definition("job"))?.definition.version).toBe(2);
    expect((await home.definition("job"))?.ordinals).toEqual(["queued", "active", "paused", "done"]);
  });

  it("writes nothing on a dry run in an empty namespace", async () => {
    const home = await client();
    const before = await keyspace(await admin(), home.namespace);
    expect(await home.apply(job, { dryRun: true })).toMatchObject({ changed: true, before: null });
    expect(await keyspace(await admin(), home.namespace)).toEqual(before);
    expect(home.partitions).toBeUndefined();
    expect(await home.machines()).toEqual([]);
    expect(await home.installed("job")).toBeNull();
  });

  it("rejects a lower version, and the same version with another definition", async () => {
    const home = await client();
    await home.apply(job2);
    const before = await keyspace(await admin(), home.namespace);
    const lower = await rejectionOf(MachineInUseError, home.apply(job));
    expect(lower).toMatchObject({ code: "INUSE", problem: "LOWER", machine: "job", installedVersion: 2 });
    expect(lower.message).toContain(
      "version 2 is installed, which is newer; raise the version of the definition",
    );
    const other = await rejectionOf(MachineInUseError, home.apply({ ...job2, history: 5 }));
    expect(other.problem).toBe("DIFFERENT");
    expect(other.message).toContain("version 2 is installed with another definition");
    await rejectionOf(MachineInUseError, home.machine({ ...job2, history: 5 }));
    expect(await keyspace(await admin(), home.namespace)).toEqual(before);
  });

  it("rejects a version that drops a state with entities, and counts them", async () => {
    const home = await client();
    const jobs = await home.machine(job);
    await jobs.create("j1");
    await jobs.transition("j1", "paused");
    const before = await keyspace(await admin(), home.namespace);
    for (const call of [
      () => home.apply(job2),
      () => home.apply(job2, { dryRun: true }),
      () => home.machine(job2),
    ]) {
      const error = await rejectionOf(MachineInUseError, call());
      expect(error).toMatchObject({ problem: "STATES", installedVersion: 1, states: { paused: 1 } });
      expect(error.message).toContain(
        '(1 in paused); map each to a state that it has ({ map: { old: "new" } }, or --map old=new)',
      );
    }
    expect(await keyspace(await admin(), home.namespace)).toEqual(before);
  });

  it.each([1, 4])(
    "moves entities out of dropped states by transitions, over %i partitions",
    async (partitions) => {
      const home = await client();
      await home.init(partitions);
      const jobs = await home.machine(job);
      const ids = Array.from({ length: 30 }, (_, n) => `j${n}`);
      for (const id of ids) await jobs.create(id, { n: id });
      for (const id of ids.slice(0, 20)) await jobs.transition(id, "paused");
      const map = { paused: "queued" };
      expect(await home.apply(job2, { map, dryRun: true })).toMatchObject({
        retired: { paused: 20 },
        moved: 0,
      });
      expect(await jobs.count()).toMatchObject({ paused: 20 });
      const applied = await home.apply(job2, { map, actor: "operator" });
      expect(applied).toMatchObject({ retired: { paused: 20 }, moved: 20, changed: true });
      expect(await jobs.count()).toEqual({ queued: 30, active: 0, done: 0 });
      for (const id of ids.slice(0, 20)) {
        expect((await jobs.history(id)).at(-1)).toMatchObject({
          ...{ type: "job.queued", from: "paused", state: "queued", version: 3, actor: "operator" },
          reason: "machine job version 2 drops paused",
        });
      }
      expect(await home.apply(job2, { map })).toMatchObject({ changed: false, retired: {}, moved: 0 });
    },
  );

  it("moves entities that are dated ahead of the server's clock", async () => {
    const home = await client();
    const jobs = await home.machine(job);
    const { nowMs } = await home.serverTime();
    for (const id of ["j1", "j2"]) {
      await jobs.create(id);
      await jobs.transition(id, "paused");
      await enteredAt(home, jobs, id, nowMs + 3_600_000);
    }
    const applied = await home.apply(job2, { map: { paused: "queued" } });
    expect(applied).toMatchObject({ retired: { paused: 2 }, moved: 2 });
    expect(await jobs.count()).toMatchObject({ queued: 2 });
  });

  it("moves the remaining entities if an interrupted run is repeated with its map, and not with another", async () => {
    const home = await client();
    const jobs = await home.machine(job);
    for (const id of ["j1", "j2", "j3"]) {
      await jobs.create(id);
      await jobs.transition(id, "paused");
    }
    // Interrupted: the script installed the machine, and no entity was moved.
    const map = { paused: "queued" };
    const ours = { ...job2, states: { ...job2.states, done: {} } };
    const valkey = await admin();
    const keys = applyKeys({ namespace: home.namespace, machine: "job", partitions: 1 }, 0);
    const words = [compileMachine(ours).json, "MAP", "paused", "queued"];
    await valkey.eval(scripts.apply.text, keys.length, ...keys, ...words);
    expect(await jobs.count()).toMatchObject({ paused: 3 });
    expect((await jobs.tryTransition("j1", "active")).outcome).toBe("ILLEGAL");
    expect((await all(jobs.list({ state: "paused" }))).map(({ id }) => id)).toEqual(["j1", "j2", "j3"]);

    expect((await rejection(home.apply(ours, { map: { paused: "active" } }))).message).toContain(
      " to active: ",
    );
    expect(await home.apply(ours)).toMatchObject({ changed: false, retired: { paused: 3 }, moved: 0 });
    expect(await home.apply(ours, { map })).toMatchObject({
      changed: false,
      retired: { paused: 3 },
      moved: 3,
    });
    expect(await jobs.count()).toEqual({ queued: 3, active: 0, done: 0 });
  });

  it("installs a machine in no partition if one partition rejects it", async () => {
    const home = await client();
    await home.init(4);
    const jobs = await home.machine(job);
    const id = ["a", "b", "c", "d", "e", "f", "g"].find((one) => partitionOf(one, 4) === 3) ?? "";
    await jobs.create(id);
    await jobs.transition(id, "paused");
    const before = await keyspace(await admin(), home.namespace);
    expect((await rejectionOf(MachineInUseError, home.apply(job2))).states).toEqual({ paused: 1 });
    expect(await keyspace(await admin(), home.namespace)).toEqual(before);
  });

  it("rejects a map that does not lead from dropped states to existing ones", async () => {
    const home = await client();
    await home.apply(job);
    for (const map of [{ paused: "nowhere" }, { active: "queued" }, { never: "queued" }]) {
      const error = await rejectionOf(ContractError, home.apply(job2, { map }));
      expect(error.message).toBe(
        "apply job: map must map states that the new version drops to states that it has",
      );
    }
    await rejectionOf(MachineDefinitionError, home.apply({ ...job, initial: "qeued" }));
  });
});

describe("machine", () => {
  it("works in an older replica, with the newer installed definition", async () => {
    const home = await client();
    await home.apply(job2);
    const jobs = await home.machine(job);
    expect(jobs.definition.version).toBe(2);
    await jobs.create("j1");
    const refused = await jobs.tryTransition("j1", "paused");
    if (refused.ok) throw new Error("It was not refused");
    expect(refused.error).toMatchObject({ code: "ILLEGAL", allowed: ["active"] });
    expect(await jobs.transition("j1", "active")).toMatchObject({ version: 2 });
  });

  it("does not explain a rejection with its older definition if the newer one differs", async () => {
    const order: MachineDefinition = {
      name: "order",
      version: 1,
      initial: "open",
      states: { open: { to: ["paid", "gone"] }, paid: {}, gone: {} },
    };
    const home = await client();
    const older = await home.machine(order);
    await older.create("o1");
    const newer = await home.machine({
      ...order,
      version: 2,
      states: { open: { to: ["paid"] }, paid: { require: ["sum"], to: ["sent"] }, sent: {}, gone: {} },
    } as MachineDefinition);
    const illegal = await rejectionOf(IllegalTransitionError, older.transition("o1", "gone"));
    expect(illegal.allowed).toEqual([]);
    expect(illegal.message).toMatch(
      /: the installed order machine is not version 1, which this process uses$/,
    );
    const missing = await rejectionOf(MissingFieldError, older.transition("o1", "paid"));
    expect(missing.fields).toEqual([]);
    expect(missing.message).toBe(
      "order o1: state paid requires further fields: the installed order machine is not version 1, which this process uses",
    );
    await newer.transition("o1", "paid", { set: { sum: 1 } });
    await newer.transition("o1", "sent");
    const final = await rejectionOf(IllegalTransitionError, older.transition("o1", "paid"));
    expect(final.message).toMatch(
      /: state sent is not in version 1 of the machine, which this process uses$/,
    );
  });

  it("opens an installed machine by name, with its installed states", async () => {
    const home = await client();
    expect(await home.installed("job")).toBeNull();
    expect(await home.definition("job")).toBeNull();
    expect(home.partitions).toBeUndefined();
    await home.machine(job);
    const jobs = await home.installed("job");
    expect(jobs?.name).toBe("job");
    expect(jobs?.definition).toEqual(compileMachine(job));
    await jobs?.create("j1");
    expect((await (await home.machine(job)).get("j1"))?.state).toBe("queued");
    await rejectionOf(ContractError, home.installed("Job"));
  });
});

describe("a namespace", () => {
  it("has a fixed number of partitions, and rejects another number", async () => {
    const home = await client();
    expect(await home.init(4)).toEqual({ layout: 2, partitions: 4 });
    expect(await home.init(4)).toEqual({ layout: 2, partitions: 4 });
    const error = await rejectionOf(ContractError, home.init(2));
    expect(error.code).toBe("PARTITIONS");
    expect(error.message).toBe(
      `namespace "${home.namespace}" has 4 partitions, which cannot be changed; use another namespace`,
    );
    const later = await client({ namespace: home.namespace });
    expect(later.partitions).toBe(4);
    for (const wrong of [0, 4097, 1.5, Number.NaN]) {
      const refused = await rejectionOf(ContractError, home.init(wrong));
      expect(refused.message).toBe(`partitions must be a whole number from 1 to 4096, not ${wrong}`);
    }
  });

  it("initialised by several clients at once gets the number of one of them", async () => {
    const namespace = freshNamespace();
    const homes = await Promise.all(Array.from({ length: 8 }, () => client({ namespace })));
    await Promise.allSettled(homes.map((home, at) => home.init(at + 1)));
    const partitions = homes.map((home) => home.partitions);
    expect(new Set(partitions).size).toBe(1);
    expect(await client({ namespace })).toMatchObject({ partitions: partitions[0] });
  });

  it.each([
    ["with partitions", { layout: "1", partitions: "1" }],
    ["that is being initialised", { layout: "1" }],
    ["without a layout", { partitions: "1" }],
  ])("of another layout, %s, is not changed", async (_, facts) => {
    const namespace = freshNamespace();
    await (await admin()).hset(`{${namespace}}:meta`, facts);
    const before = await keyspace(await admin(), namespace);
    const { url } = await useValkey();
    const error = await rejectionOf(LayoutError, connect({ url, namespace }));
    expect(error.code).toBe("LAYOUT");
    const layout = "layout" in facts ? facts.layout : "none";
    expect(error.message).toContain(
      `has layout ${layout}, this version of latchkey works with 2; use the version that wrote it`,
    );
    expect(await keyspace(await admin(), namespace)).toEqual(before);
  });

  it("that gets another layout later is not changed", async () => {
    const home = await client();
    await (await admin()).hset(`{${home.namespace}}:meta`, { layout: "1" });
    const before = await keyspace(await admin(), home.namespace);
    await rejectionOf(LayoutError, home.machine(agent()));
    await rejectionOf(LayoutError, home.definition("agent"));
    expect(await keyspace(await admin(), home.namespace)).toEqual(before);
  });

  it("whose entities another version wrote is rejected and not changed", async () => {
    const home = await client();
    const agents = await home.machine(agent());
    await (await admin()).hset(`{${home.namespace}:0}:agent:id:a1`, { state: "running", layout: "9" });
    const error = await rejectionOf(LayoutError, agents.transition("a1", "running"));
    expect(error.message).toContain("transition agent a1: another version of latchkey wrote the data");
  });

  it.each(["", "Latchkey", "a b", "a:b", "{a}", "x".repeat(33)])("cannot be named %j", async (namespace) => {
    const { url } = await useValkey();
    const error = await rejectionOf(ContractError, connect({ url, namespace }));
    expect(error.message).toMatch(
      /^invalid namespace .*: a lower-case letter, then up to 31 lower-case letters/,
    );
  });
});

it("reports that a machine may be installed if the reply was lost", async () => {
  const proxy = await startProxy(await useValkey());
  await (await admin()).script("LOAD", scripts.apply.text);
  const home = await client({ url: proxy.url, timeout: "1s" });
  await home.init();
  proxy.dropReply("*7\r\n$7\r\nevalsha"); // the dry run before it has one word more
  proxy.shut(true);
  const error = await rejectionOf(ApplyInterruptedError, home.apply(job));
  expect(error).toMatchObject({ code: "UNKNOWN", machine: "job", versions: {} });
  expect(error.message).toMatch(
    /^machine job: apply job: the reply was lost, and the partition may have the definition: [^;]*; some partitions may have the new version; apply it again$/,
  );
  proxy.shut(false);
  const installed = () => home.definition("job").catch(() => null); // it may take longer to be connected again
  await expect.poll(async () => (await installed())?.definition).toEqual(compileMachine(job));
  expect(await home.apply(job)).toMatchObject({ changed: false });
});
