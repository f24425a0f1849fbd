import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/containers/**"],
    // Processes, not threads: each has its own Valkey server, which ends with it.
    pool: "forks",
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
