/** Servers for tests: `import { startValkey } from "latchkey/testing"`. */
export { NoValkeyError } from "../server/no-valkey.js";
export { ServerStartError } from "../server/ready.js";
export type { LocalServer } from "../server/spawn.js";
export type { ContainerServer } from "./container.js";
export { type ServerOptions, startValkey, type TestServer } from "./start.js";
