/**
 * Starts Valkey servers for tests.
 *
 * @example
 * ```ts
 * import { startValkey } from "latchkey/testing";
 * ```
 *
 * @module latchkey/testing
 */
export type { ContainerServer } from "../server/docker.js";
export { NoValkeyError } from "../server/no-valkey.js";
export { ServerStartError } from "../server/ready.js";
export type { LocalServer } from "../server/spawn.js";
export type { ServerOptions } from "./options.js";
export { startValkey, type TestServer } from "./start.js";
