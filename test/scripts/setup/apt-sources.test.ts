import { describe, expect, it, test } from "vitest";
import {
  backportsSource,
  offersSuite,
  parseAptSources,
  suitesSource,
} from "../../../scripts/setup/apt-sources.mjs";

const DEB822 = `Types: deb
# kept by the image's builder
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`;

const ONE_LINE = `# the release
deb [arch=amd64,arm64 signed-by=/key.gpg] https://mirror.example/debian bookworm main non-free # and more
deb-src https://mirror.example/debian bookworm main
deb https://mirror.example/debian-security bookworm-security main
`;

describe("the backports source of a release", () => {
  test("takes mirror and key from a .sources file", () => {
    const sources = parseAptSources("sources.list.d/debian.sources", DEB822);
    expect(backportsSource(sources, "bookworm")).toBe(`Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`);
  });

  test("takes mirror, key and architectures from a one-line list", () => {
    const sources = parseAptSources("sources.list", ONE_LINE);
    expect(backportsSource(sources, "bookworm")).toBe(`Types: deb
URIs: https://mirror.example/debian
Suites: bookworm-backports
Components: main
Architectures: amd64 arm64
Signed-By: /key.gpg
`);
  });

  test("keeps a signing key that is written into the source itself", () => {
    const key = "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEZ\n -----END PGP PUBLIC KEY BLOCK-----";
    const text = `Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\nSigned-By:${key}\n`;
    const source = backportsSource(parseAptSources("x.sources", text), "trixie");
    expect(source).toMatch(/Suites: trixie-backports\n/);
    expect(source?.replace("Signed-By: ", "Signed-By:").endsWith(`Signed-By:${key}\n`)).toBe(true);
  });

  test("keeps the trust that a local mirror is given", () => {
    const sources = parseAptSources("sources.list", "deb [trusted=yes] file:/srv/mirror bookworm main\n");
    expect(backportsSource(sources, "bookworm")).toContain("Trusted: yes\n");
  });

  test.each([
    ["other releases", "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\n"],
    [
      "source packages",
      "Types: deb-src\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n",
    ],
    [
      "a source that is switched off",
      "Types: deb\nEnabled: no\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n",
    ],
  ])("is unknown where apt knows only %s", (_, text) => {
    expect(backportsSource(parseAptSources("x.sources", text), "bookworm")).toBeUndefined();
  });
});

it("names several suites of a release's mirror in one source", () => {
  const sources = parseAptSources("sources.list", ONE_LINE);
  expect(suitesSource(sources, "bookworm", ["trixie", "forky"])).toContain("Suites: trixie forky\n");
});

describe("offersSuite", () => {
  test.each([
    ["a.sources", DEB822.replace("bookworm-updates", "bookworm-backports"), true],
    ["a.sources", DEB822, false],
    ["a.list", "deb http://mirror.example/debian bookworm-backports main", true],
    ["a.list", "# deb http://mirror.example/debian bookworm-backports main", false],
    ["a.list", "deb-src http://mirror.example/debian bookworm-backports main", false],
  ])("reads from %s whether backports are there already", (file, text, expected) => {
    expect(offersSuite(parseAptSources(file, text), "bookworm-backports")).toBe(expected);
  });
});
