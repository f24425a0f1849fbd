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
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // A busy machine is slow, not wrong. The default of one second is not enough for a process to start.
    expect: { poll: { timeout: 20_000 } },
  },
});
