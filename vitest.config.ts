import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Folders whose tests have a command of their own, such as `npm run test:faults`. */
const SEPARATE = ["demo", "scripts", "faults", "docs", "package", "projects", "containers"];

export default defineConfig({
  test: {
    // Processes, not threads: each has its own Valkey server, which ends with it.
    pool: "forks",
    // Two more than cores, because tests wait for servers more than they compute. The default of vitest is one fewer.
    maxWorkers: availableParallelism() + 2,
    // Limits for tests that hang. They are long because a busy machine is slow, not wrong; vitest polls for 1 s by default.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: "default",
          include: ["test/**/*.test.ts"],
          exclude: SEPARATE.map((folder) => `test/${folder}/**`),
        },
      },
      ...SEPARATE.map((name) => ({
        extends: true as const,
        test: { name, include: [`test/${name}/**/*.test.ts`] },
      })),
    ],
  },
});
