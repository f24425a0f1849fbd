import { describe, expect, test } from "vitest";
import { parseAptSources } from "../../../scripts/setup/apt-sources.mjs";
import { aptLine } from "../../../scripts/setup/server.mjs";

const BOOKWORM = { ID: "debian", VERSION_CODENAME: "bookworm" };

describe("what set-up prints for a user who may not install packages", () => {
  test("gives the line that adds the backports from this machine's mirror, without the password in its address", () => {
    const sources = parseAptSources(
      "sources.list",
      "deb http://me:hunter2@mirror.example/debian bookworm main",
    );
    expect(aptLine(BOOKWORM, sources).join("\n")).toBe(
      `  apt on this machine does not know bookworm-backports yet. Add it first:
    printf '%s\\n' 'Types: deb' 'URIs: http://mirror.example/debian' 'Suites: bookworm-backports' 'Components: main' | sudo tee /etc/apt/sources.list.d/bookworm-backports.sources && sudo apt-get update`,
    );
  });

  test.each([
    ["apt knows the backports already", BOOKWORM, "deb http://mirror.example/debian bookworm-backports main"],
    [
      "the system is not Debian",
      { ID: "ubuntu", VERSION_CODENAME: "noble" },
      "deb http://mirror.example/u noble main",
    ],
    ["the system has no apt", { ID: "arch", VERSION_CODENAME: "" }, ""],
  ])("leaves that out where %s", (_, release, text) => {
    expect(aptLine(release, parseAptSources("sources.list", text))).toEqual([]);
  });
});
