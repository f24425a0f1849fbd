import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeFields } from "../../src/changes/field-json.js";
import {
  AgentLifecycle,
  ContractError,
  defineMachine,
  errorText,
  MissingFieldError,
  ownFields,
} from "../../src/index.js";
import { agents, entities, rejectionOf } from "../helpers/client.js";

class Money {
  readonly currency = "EUR";
  #cents = 1250;
  toJSON(): string {
    return `${this.#cents / 100} ${this.currency}`;
  }
}

/** A DTO as web frameworks make them: with methods, accessors and members that are not set. */
class OrderDto {
  customer = "ann";
  placedAt = new Date("2026-01-31T08:30:00.000Z");
  note: string | undefined;
  total = new Money();
  lines = [{ sku: "a", count: 1, gift: undefined }];
  get size(): number {
    return this.lines.length;
  }
  describe(): string {
    return `${this.customer}: ${this.size}`;
  }
}

const stored = {
  customer: "ann",
  placedAt: "2026-01-31T08:30:00.000Z",
  total: "12.5 EUR",
  lines: [{ sku: "a", count: 1 }],
};

describe("what JSON.stringify accepts is accepted as fields", () => {
  it("of create, patch, transition and restore", async () => {
    const list = await agents();
    expect(ownFields(await list.create("a1", new OrderDto()))).toEqual(stored);
    const fresh = { set: new OrderDto() };
    await list.create("a2");
    expect(ownFields(await list.patch("a2", fresh))).toEqual(stored);
    await list.create("a3");
    const moved = await list.transition("a3", "running", fresh);
    expect(ownFields(moved)).toEqual({ ...stored, startedAt: moved.timestamp });
    const restored = await list.restore("a4", "spawning", { version: 3, fields: new OrderDto() });
    expect(ownFields(restored)).toEqual(stored);
    for (const id of ["a1", "a2", "a4"]) expect(ownFields((await list.get(id)) ?? moved)).toEqual(stored);
  });

  it("of an agent's metadata", async () => {
    const life = new AgentLifecycle(await agents());
    expect((await life.registerSpawnedAgent("a1", "t1", new OrderDto())).metadata).toEqual(stored);
    expect((await life.getAgentLifecycleState("a1"))?.metadata).toEqual(stored);
  });

  it("with a toJSON of the fields themselves", async () => {
    const list = await agents();
    const document = { toJSON: () => ({ n: 1, at: new Date(0) }) };
    expect(ownFields(await list.create("a1", document))).toEqual({ n: 1, at: "1970-01-01T00:00:00.000Z" });
  });

  it("with undefined in a list, which is null in JSON, and a hole", async () => {
    const list = await agents();
    const holes = [1, undefined, 3];
    delete holes[2];
    expect(ownFields(await list.create("a1", { holes }))).toEqual({ holes: [1, null, null] });
  });

  it("with the text of an error", async () => {
    const list = await agents();
    const error = errorText(new Error("exit 1"));
    expect(ownFields(await list.create("a1", { error }))).toEqual({ error: "Error: exit 1" });
  });

  it("as they were when the call was made", async () => {
    const list = await agents();
    const fields = { n: 1, nested: { n: 1 } };
    const created = list.create("a1", fields);
    fields.n = 2;
    fields.nested.n = 2;
    expect(ownFields(await created)).toEqual({ n: 1, nested: { n: 1 } });
  });
});

describe("an undefined member", () => {
  it("changes nothing, and does not contradict an unset", async () => {
    const list = await agents();
    await list.create("a1", { keep: 1, drop: 2, none: undefined });
    const patched = await list.patch("a1", {
      set: { keep: undefined, drop: undefined, n: 1 },
      unset: ["drop"],
    });
    expect(ownFields(patched)).toEqual({ keep: 1, n: 1 });
  });

  it("does not count as a required field", async () => {
    const list = await entities(
      defineMachine({
        name: "job",
        version: 1,
        initial: "open",
        states: { open: { to: ["done"] }, done: { require: ["result"] } },
      }),
    );
    await list.create("j1");
    const call = list.transition("j1", "done", { set: { result: undefined } });
    const error = await rejectionOf(MissingFieldError, call);
    expect(error.fields).toEqual(["result"]);
    expect(await list.get("j1")).toMatchObject({ state: "open", version: 1 });
  });
});

it("any value becomes what JSON.stringify makes of it, or is rejected", () => {
  const values = fc.anything({
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withObjectString: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true,
    stringUnit: "binary",
  });
  let accepted = 0;
  fc.assert(
    fc.property(values, (value) => {
      let text: string | undefined;
      try {
        text = encodeFields("set", { value }).get("value");
      } catch (error) {
        expect(error).toBeInstanceOf(ContractError);
        expect((error as Error).message).toMatch(/^set\.value/);
        return;
      }
      expect(text).toBe(JSON.stringify(value));
      accepted += 1;
    }),
    { numRuns: 2_000 },
  );
  expect(accepted).toBeGreaterThan(100);
});
