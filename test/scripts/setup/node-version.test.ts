import { describe, expect, test } from "vitest";
import { nodeVersionProblem } from "../../../scripts/setup/node-version.mjs";

const RANGE = "^20.19.0 || ^22.12.0 || >=24.0.0";

describe("nodeVersionProblem", () => {
  test.each(["v20.19.0", "v20.20.2", "v22.12.0", "v24.0.0", "v26.3.1"])("accepts %s", (version) => {
    expect(nodeVersionProblem(RANGE, version)).toBeUndefined();
  });

  test.each(["v18.20.8", "v20.18.9", "v21.7.3", "v22.11.0", "v23.11.1"])(
    "rejects %s and names it",
    (version) => {
      expect(nodeVersionProblem(RANGE, version)).toBe(
        `latchkey needs Node ${RANGE}, this is ${version}. Install a supported version and try again.`,
      );
    },
  );

  test("names the part of a range that it cannot read", () => {
    expect(() => nodeVersionProblem("~20.1", "v20.1.0")).toThrow('holds "~20.1", which set-up cannot read');
  });
});
