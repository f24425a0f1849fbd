import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { DEFAULT_IMAGE } from "../../src/server/docker.js";
import { compose } from "../helpers/composed.js";

interface Service {
  readonly image: string;
  readonly user: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly cap_drop: readonly string[];
  readonly read_only: boolean;
  readonly command: string | readonly string[];
  readonly build?: unknown;
}

const file = readFileSync(new URL("../../docker-compose.yml", import.meta.url), "utf8");
const { services }: { services: Record<string, Service> } = parse(file, { merge: true, maxAliasCount: -1 });
const dockerfile = readFileSync(new URL("../../Dockerfile", import.meta.url), "utf8");

/** Name and exact version of an image. */
const EXACT = /^[a-z/]+:\d+\.\d+\.\d+(-[a-z0-9.]+)?$/;

/** Services that run a server. */
const servers = Object.entries(services).filter(([, { command }]) =>
  String(command).includes("valkey-server"),
);

describe.each(Object.entries(services))("the service %s", (name, service) => {
  test("runs without root and capabilities, and writes only into volumes", () => {
    expect(service.user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    expect(service.cap_drop).toEqual(["ALL"]);
    expect(service.read_only).toBe(true);
  });

  test("publishes ports on the loopback address only", () => {
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/);
  });

  test("has a health check, unless it only holds a network", () => {
    expect(service.healthcheck !== undefined).toBe(!name.endsWith("-network"));
  });
});

describe("docker-compose.yml", () => {
  test("has servers of three topologies, which keep their data in volumes", () => {
    expect(servers).toHaveLength(1 + 6 + 6);
    for (const [, { volumes = [] }] of servers)
      expect(volumes).toContainEqual(expect.stringMatching(/:\/data$/));
  });

  test("runs servers from an official image with an exact version, the one that tests use", () => {
    const images = new Set(Object.values(services).map(({ image }) => image));
    images.delete("latchkey-cli:local");
    expect([...images]).toEqual([`\${LATCHKEY_VALKEY_IMAGE:-${DEFAULT_IMAGE}}`]);
    expect(DEFAULT_IMAGE).toMatch(EXACT);
  });

  test("builds the command line on an official image with an exact version", () => {
    expect(/^ARG LATCHKEY_NODE_IMAGE=(.*)$/m.exec(dockerfile)?.[1]).toMatch(EXACT);
  });

  test.each([
    ["by default", [], ["valkey"]],
    ["with the profile sweep", ["--profile", "sweep"], ["sweep", "valkey"]],
    [
      "with the profile sentinel",
      ["--profile", "sentinel"],
      [
        ...["sentinel", "sentinel-1", "sentinel-2", "sentinel-3", "sentinel-network", "sentinel-sweep"],
        ...["valkey", "valkey-1", "valkey-2", "valkey-3"],
      ],
    ],
    [
      "with the profile cluster",
      ["--profile", "cluster"],
      [
        ...["cluster", "cluster-1", "cluster-2", "cluster-3", "cluster-4", "cluster-5", "cluster-6"],
        ...["cluster-network", "cluster-sweep", "valkey"],
      ],
    ],
  ])("is accepted by docker compose config %s", (_, words, expected) => {
    const names = compose([...words, "config", "--services"])
      .trim()
      .split("\n");
    expect(names.sort()).toEqual(expected);
  });
});
