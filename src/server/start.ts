import { type ContainerOptions, type ContainerServer, runContainer } from "./docker.js";
import type { ResolvedServer } from "./resolve.js";
import { type LocalServer, spawnServer } from "./spawn.js";

/**
 * Starts what `resolveEmbedded` or `resolveServer` has found: the program, or the image.
 * @throws ServerStartError when it ends before it is ready, with its last lines; a port in use is named.
 * @example const server = await startEmbedded(await resolveEmbedded(), { port: 6379 });
 */
export function startEmbedded(
  found: Exclude<ResolvedServer, { kind: "url" }>,
  options: Omit<ContainerOptions, "image"> = {},
): Promise<LocalServer | ContainerServer> {
  return found.kind === "program"
    ? spawnServer({ ...options, bin: found.program.bin })
    : runContainer({ ...options, image: found.image });
}
