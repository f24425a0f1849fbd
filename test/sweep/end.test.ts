import { Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import {
  ClosedError,
  ContractError,
  type Entities,
  type Latchkey,
  type MachineDefinition,
  NotExecutedError,
} from "../../src/index.js";
import { runOut } from "../helpers/age.js";
import { client, rejectionOf } from "../helpers/client.js";
import { useValkey } from "../helpers/valkey.js";

const task = {
  name: "task",
  version: 1,
  initial: "waiting",
  states: { waiting: { to: ["late"], timeout: { after: "1h", to: "late" } }, late: {} },
} satisfies MachineDefinition;

async function overdue(home: Latchkey): Promise<Entities> {
  const entities: Entities = await home.machine(task as MachineDefinition);
  await entities.create("t1");
  await runOut(home, entities, "t1");
  return entities;
}

it("ends when latchkey is closed, however long its interval, and returns its report", async () => {
  const home = await client();
  const entities = await overdue(home);
  const onChange = (): void => void home.close(); // called by the sweep that fires first
  const ofAll = home.sweep({ interval: "1h", onChange });
  const ofOne = entities.sweep({ interval: "90d", onChange });
  const report = await Promise.all([ofAll, ofOne]);
  expect(report.reduce((sum, { expired }) => sum + expired, 0)).toBe(1);
});

it("rejects if latchkey is closed already", async () => {
  const home = await client();
  const entities = await overdue(home);
  await home.close();
  await rejectionOf(ClosedError, home.sweep());
  await rejectionOf(ClosedError, entities.sweep());
});

it("ends when latchkey is closed, and leaves a client that was passed in open", async () => {
  const { url } = await useValkey();
  const valkey = new Valkey(url);
  onTestFinished(() => valkey.disconnect());
  const home = await client({ client: valkey });
  const entities = await overdue(home);
  const sweeping = entities.sweep({ interval: 1, onChange: () => void home.close() });
  expect(await sweeping).toMatchObject({ expired: 1 });
  expect(valkey.status).toBe("ready");
});

it("fails if a client that was passed in has ended", async () => {
  const { url } = await useValkey();
  const valkey = new Valkey(url);
  const home = await client({ client: valkey });
  const entities = await overdue(home);
  const sweeping = rejectionOf(NotExecutedError, entities.sweep({ onChange: () => valkey.disconnect() }));
  expect((await sweeping).message).toMatch(/lost the connection|not connected/);
});

it("adds no listener per sweep to a signal and a connection that many sweeps share", async () => {
  const home = await client();
  const entities = await overdue(home);
  const warnings: string[] = [];
  const warned = ({ message }: Error): void => void warnings.push(message);
  process.on("warning", warned);
  onTestFinished(() => void process.off("warning", warned));
  const stop = new AbortController();
  const sweeps = Array.from({ length: 14 }, () => entities.sweep({ signal: stop.signal, interval: "1h" }));
  await expect.poll(async () => (await entities.get("t1"))?.state).toBe("late");
  // All of them have ended their first round, and wait.
  await Promise.all(Array.from({ length: 14 }, () => entities.sweep({ once: true, signal: stop.signal })));
  stop.abort();
  await Promise.all(sweeps);
  expect(warnings).toEqual([]);
});

it.each([
  ["a batch of 0", { batch: 0 }, "batch must be a whole number from 1 to 1000"],
  ["a batch of 1001", { batch: 1001 }, "from 1 to 1000"],
  ["a batch of 1.5", { batch: 1.5 }, "from 1 to 1000"],
  ["an invalid interval", { interval: "soon" }, 'interval: invalid duration "soon"'],
  ["an unknown option", { bacth: 3 }, 'unknown option "bacth"; did you mean "batch"?'],
])("rejects %s", async (_, options, text) => {
  const home = await client();
  const entities = await overdue(home);
  for (const sweeping of [home.sweep(options as object), entities.sweep(options as object)]) {
    const { code, message } = await rejectionOf(ContractError, sweeping);
    expect(code).toBe("BADARG");
    expect(message).toContain(text);
  }
});
