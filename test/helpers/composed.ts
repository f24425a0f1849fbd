import { spawnSync } from "node:child_process";
import { DockerComposeEnvironment, Wait } from "testcontainers";
import { onTestFinished } from "vitest";
import { freePort } from "../../src/server/port.js";
import { root } from "./built.js";

/** Containers of docker-compose.yml that this test started. */
export interface Composed {
  /** Port of the single server on this computer. */
  readonly port: number;
  /** Runs `docker compose` for these containers and returns what it prints. @throws Error if it fails */
  compose(...words: string[]): string;
}

/** Containers that hold a network and are ready at once. */
const NETWORKS = ["sentinel-network", "cluster-network"];

/**
 * Starts a service of docker-compose.yml with everything that it needs, and waits until all containers are healthy. They and
 * their data are removed when the test has finished.
 */
export async function composed(service: string, profile: string): Promise<Composed> {
  const port = await freePort();
  const env = { VALKEY_PORT: String(port) };
  const project = `latchkey-test-${port}`;
  const inProject = (...words: string[]) => compose(["-p", project, "--profile", profile, ...words], env);
  const description = new DockerComposeEnvironment(root, "docker-compose.yml")
    .withProjectName(project)
    .withProfiles(profile)
    .withEnvironment(env)
    .withStartupTimeout(600_000)
    .withDefaultWaitStrategy(Wait.forHealthCheck());
  for (const network of NETWORKS) description.withWaitStrategy(`${network}-1`, Wait.forAll([]));
  onTestFinished(() => void inProject("down", "--volumes", "--timeout", "1"));
  await description.up([service]);
  return { port, compose: inProject };
}

/** Runs `docker compose` and returns what it prints. @throws Error if it fails */
export function compose(words: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const { status, stdout, stderr } = spawnSync("docker", ["compose", ...words], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new Error(`docker compose ${words.join(" ")} ended with ${status}:\n${stderr}`);
  return stdout;
}
