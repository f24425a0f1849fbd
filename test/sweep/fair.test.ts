import { expect, it } from "vitest";
import type { Entities, Latchkey, MachineDefinition } from "../../src/index.js";
import { runOut } from "../helpers/age.js";
import { client } from "../helpers/client.js";

const states = {
  waiting: { to: ["late"], timeout: { after: "1h", to: "late" } },
  late: {},
} satisfies MachineDefinition["states"];

async function machine(home: Latchkey, name: string): Promise<Entities> {
  return home.machine({ name, version: 1, initial: "waiting", states } as MachineDefinition);
}

async function overdue(home: Latchkey, entities: Entities, ...ids: string[]): Promise<void> {
  await Promise.all(
    ids.map(async (id) => {
      await entities.create(id);
      await runOut(home, entities, id);
    }),
  );
}

const many = (count: number) => Array.from({ length: count }, (_, n) => `m${n}`);

it("fires no more than a batch at once", async () => {
  const home = await client();
  await overdue(home, await machine(home, "busy"), ...many(20));
  const stop = new AbortController();
  const report = await home.sweep({ signal: stop.signal, batch: 3, onChange: () => stop.abort() });
  expect(report).toMatchObject({ expired: 3 });
});

it("makes no machine wait longer than one batch of each other machine", async () => {
  const home = await client();
  for (const name of ["a", "z"]) await overdue(home, await machine(home, name), name);
  await overdue(home, await machine(home, "busy"), ...many(100));
  const fired: string[] = [];
  await home.sweep({ once: true, batch: 4, onChange: ({ id }) => void fired.push(id) });
  expect(fired).toHaveLength(102);
  for (const name of ["a", "z"]) expect(fired.indexOf(name)).toBeLessThanOrEqual(5);
});

it("returns to a machine while another one still has a backlog", async () => {
  const home = await client();
  const [busy, calm] = [await machine(home, "busy"), await machine(home, "calm")];
  await overdue(home, busy, ...many(500));
  const stop = new AbortController();
  const fired: string[] = [];
  const sweeping = home.sweep({
    ...{ signal: stop.signal, batch: 1, interval: 1 },
    onChange: ({ id }) => {
      fired.push(id);
      if (fired.length === 1) void overdue(home, calm, "c1");
      if (id === "c1") stop.abort();
    },
  });
  await sweeping;
  expect(fired.at(-1)).toBe("c1");
  expect(fired.length).toBeLessThan(500);
});
