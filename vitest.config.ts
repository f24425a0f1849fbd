import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/containers/**"],
    // Processes, not threads: each has its own Valkey server, which ends with it.
    pool: "forks",
    // One more than cores: tests wait for servers more than they compute. Vitest's own choice is one fewer.
    maxWorkers: availableParallelism() + 1,
    // These are for what hangs. A busy machine is slow, not wrong; vitest's own limit for a poll is one second.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
  },
});
