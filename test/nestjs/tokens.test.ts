import { expect, it } from "vitest";
import { agent } from "../../src/index.js";
import { getEntitiesToken, getLatchkeyToken } from "../../src/nestjs/index.js";

it("tokens are texts, and the default connection needs no name", () => {
  expect(getLatchkeyToken()).toBe("Latchkey");
  expect(getLatchkeyToken("default")).toBe("Latchkey");
  expect(getLatchkeyToken("orders")).toBe("Latchkey:orders");
  expect(getEntitiesToken(agent())).toBe("LatchkeyEntities:agent");
  expect(getEntitiesToken("agent", "default")).toBe("LatchkeyEntities:agent");
  expect(getEntitiesToken("agent", "orders")).toBe("LatchkeyEntities:orders:agent");
});

it.each([
  [() => getLatchkeyToken("a:b"), /invalid connection "a:b": a lower-case letter/],
  [() => getEntitiesToken("Agent"), /invalid machine name "Agent"/],
  [() => getEntitiesToken(undefined as never), /machine must be a machine or its name/],
  [() => getEntitiesToken({} as never), /machine must be a machine or its name/],
])("%s is rejected", (call, message) => {
  expect(call).toThrow(message);
});
