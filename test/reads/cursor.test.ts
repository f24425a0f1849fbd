import { describe, expect, it } from "vitest";
import { ContractError, defineMachine, type Entities, type PageOptions } from "../../src/index.js";
import { client, rejectionOf } from "../helpers/client.js";
import { type DialState, dial } from "../helpers/dial.js";

async function dials(): Promise<{ list: Entities<DialState>; other: Entities<DialState> }> {
  const home = await client();
  const list = await home.machine(dial);
  const other = await home.machine(defineMachine({ ...dial, name: "other" }));
  for (const id of ["x1", "x2", "x3"]) {
    await list.create(id);
    await other.create(id);
  }
  return { list, other };
}

/** Returns the cursor after the first of three entities. */
async function cursorOf(list: Entities<DialState>, options: PageOptions<DialState> = {}): Promise<string> {
  const { cursor } = await list.listPage({ ...options, limit: 1 });
  if (cursor === undefined) throw new Error("The page has no cursor");
  return cursor;
}

async function idsAfter(list: Entities<DialState>, options: PageOptions<DialState>): Promise<string[]> {
  return (await list.listPage(options)).items.map(({ id }) => id);
}

describe("a cursor of a list", () => {
  it("is text that no shell changes", async () => {
    const { list } = await dials();
    expect(await cursorOf(list, { state: ["b", "a"] })).toMatch(/^[\w-]+$/);
  });

  it("is accepted with a filter of the same meaning", async () => {
    const { list } = await dials();
    const states = await cursorOf(list, { state: ["b", "a"] });
    expect(await idsAfter(list, { cursor: states, state: ["a", "b", "a"] })).toEqual(["x2", "x3"]);
    const age = await cursorOf(list, { state: "a", stuck: false });
    expect(await idsAfter(list, { cursor: age, state: ["a"] })).toEqual(["x2", "x3"]);
  });

  it("is rejected with another filter, which the error names", async () => {
    const { list } = await dials();
    const [plain, a] = [await cursorOf(list), await cursorOf(list, { state: "a" })];
    const cases: [PageOptions<DialState>, string][] = [
      [{ cursor: a, state: "b" }, "state a, not state b"],
      [{ cursor: a, state: ["b", "a"] }, "state a, not state a,b"],
      [{ cursor: a }, "state a, not no filter"],
      [{ cursor: plain, olderThan: "1m" }, "no filter, not olderThan 60000"],
      [{ cursor: plain, dueWithin: "1s", stuck: true }, "no filter, not dueWithin 1000 stuck"],
    ];
    for (const [options, difference] of cases) {
      const error = await rejectionOf(ContractError, list.listPage(options));
      expect(error).toMatchObject({ code: "BADARG" });
      expect(error.message).toBe(
        `the cursor belongs to a list with ${difference}; use the same filter, or omit the cursor to start at the beginning`,
      );
    }
  });

  it("is rejected by another machine or namespace", async () => {
    const { list, other } = await dials();
    const cursor = await cursorOf(list);
    const machine = await rejectionOf(ContractError, other.listPage({ cursor }));
    expect(machine.message).toBe(
      "the cursor belongs to machine dial, not other; omit the cursor to start at the beginning",
    );
    const { list: elsewhere } = await dials();
    const namespace = await rejectionOf(ContractError, elsewhere.listPage({ cursor }));
    expect(namespace.message).toMatch(/^the cursor belongs to namespace \S+, not \S+; omit the cursor/);
  });

  it("is rejected if it was changed or is of another kind", async () => {
    const { list } = await dials();
    const cursor = await cursorOf(list);
    const changed = (part: number, value: unknown): string => {
      const parts = JSON.parse(Buffer.from(cursor, "base64url").toString()) as unknown[];
      return Buffer.from(JSON.stringify(parts.with(part, value))).toString("base64url");
    };
    const invalid = [
      ...[
        "",
        "x",
        `${cursor}!`,
        "1795343224201/x1",
        "1795343224201-0",
        Buffer.from("{}").toString("base64url"),
      ],
      ...[changed(4, -1), changed(4, "1"), changed(4, null), changed(5, "no id"), changed(5, 7)],
    ];
    for (const text of invalid) {
      const error = await rejectionOf(ContractError, list.listPage({ cursor: text }));
      expect(error.message).toBe("invalid cursor; omit it to start at the beginning");
    }
  });

  it("is absent if no entity follows", async () => {
    const { list } = await dials();
    for (const limit of [3, 4, 1000]) {
      const page = await list.listPage({ limit });
      expect([page.items.length, page.cursor]).toEqual([3, undefined]);
    }
    const cursor = await cursorOf(list);
    const rest = await list.listPage({ cursor, limit: 2 });
    expect([rest.items.length, rest.cursor]).toEqual([2, undefined]);
    expect(await list.listPage({ state: "b", limit: 1 })).toEqual({ items: [] });
  });
});
