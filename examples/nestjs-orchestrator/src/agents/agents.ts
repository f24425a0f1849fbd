import { agent } from "latchkey";

/** The built-in machine, with time limits: an agent that nobody starts or keeps alive fails. */
export const agents = agent({ version: 2, spawnTimeout: "1m", lease: "15s", retain: "30d" });
