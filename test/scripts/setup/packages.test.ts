import { describe, expect, test } from "vitest";
import { sameTree } from "../../../scripts/setup/packages.mjs";

const WANTED = {
  packages: {
    "": { name: "latchkey" },
    "node_modules/a": { version: "1.0.0" },
    "node_modules/b": { version: "2.0.0" },
    "node_modules/other-platform": { version: "3.0.0", optional: true },
  },
};

describe("the npm packages count as installed", () => {
  test("when every one is there in its version, those for other platforms aside", () => {
    const installed = {
      packages: { "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "2.0.0" } },
    };
    expect(sameTree(WANTED, installed)).toBe(true);
  });

  test.each([
    ["one is missing", { "node_modules/a": { version: "1.0.0" } }],
    [
      "one has another version",
      { "node_modules/a": { version: "1.0.0" }, "node_modules/b": { version: "2.0.1" } },
    ],
    [
      "one is left over",
      {
        "node_modules/a": { version: "1.0.0" },
        "node_modules/b": { version: "2.0.0" },
        "node_modules/c": { version: "1.0.0" },
      },
    ],
  ])("but not when %s", (_, packages) => {
    expect(sameTree(WANTED, { packages })).toBe(false);
  });
});
