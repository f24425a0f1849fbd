/**
 * Starts Valkey servers for tests, and makes entities in memory for unit tests.
 *
 * @example
 * ```ts
 * import { fakeEntities, startValkey } from "latchkey/testing";
 * ```
 *
 * @module latchkey/testing
 */
export { NoValkeyError } from "../errors/no-valkey-error.js";
export { ServerStartError } from "../errors/server-start-error.js";
export type { ContainerServer } from "../server/docker.js";
export type { LocalServer } from "../server/spawn.js";
export { type FakeEntities, type FakeOptions, fakeEntities } from "./fake-entities.js";
export type { ServerOptions } from "./options.js";
export { startValkey, type TestServer } from "./start.js";
