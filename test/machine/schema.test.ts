import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { agent } from "../../src/machine/agent.js";
import { RESERVED_FIELDS } from "../../src/machine/names.js";
import { validateMachine } from "../../src/machine/validate.js";
import { bad, good } from "../helpers/definitions.js";

const schema = JSON.parse(readFileSync(new URL("../../schema/machine.schema.json", import.meta.url), "utf8"));
const accepts = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema);

describe("the schema accepts what validateMachine accepts", () => {
  test.each(Object.entries(good))("%s", (_title, definition) => {
    expect(validateMachine(definition).problems).toEqual([]);
    accepts(definition);
    expect(accepts.errors).toBeNull();
  });

  test("the built-in agent machine, plain and with every option", () => {
    expect(accepts(agent())).toBe(true);
    expect(accepts(agent({ version: 2, retain: "7d", spawnTimeout: "5m", lease: "30s" }))).toBe(true);
  });
});

describe("the schema rejects what validateMachine rejects", () => {
  const within = Object.entries(bad).filter(([, { beyondSchema }]) => beyondSchema === undefined);
  test.each(within)("%s", (_title, { definition }) => {
    expect(validateMachine(definition).problems).not.toEqual([]);
    expect(accepts(definition)).toBe(false);
  });

  test.each([...RESERVED_FIELDS])("the reserved field name %s", (stamp) => {
    const definition = { name: "m", version: 1, initial: "a", states: { a: { stamp } } };
    expect(validateMachine(definition).problems).toHaveLength(1);
    expect(accepts(definition)).toBe(false);
  });
});

describe("the schema cannot judge", () => {
  const beyond = Object.entries(bad).filter(([, { beyondSchema }]) => beyondSchema === true);
  test.each(beyond)("%s", (_title, { definition }) => {
    expect(accepts(definition)).toBe(true);
  });
});
