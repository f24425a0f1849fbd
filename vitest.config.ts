import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Folders whose tests have a command of their own, such as `npm run test:faults`. */
const SEPARATE = [
  ...["outages", "demo", "scripts", "faults", "docs", "package", "projects", "containers", "newest"],
];

export default defineConfig({
  test: {
    // Processes, not threads: each has its own Valkey server, which ends with it.
    pool: "forks",
    // Two more than cores, because tests wait for servers more than they compute. The default of vitest is one fewer.
    maxWorkers: availableParallelism() + 2,
    // Limits for tests that hang. They are long because a busy machine is slow, not wrong; vitest polls for 1 s by default.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 60_000 } },
    setupFiles: "test/setup.ts",
    projects: [
      {
        extends: true,
        test: {
          name: "default",
          // Tests of a process share its modules: importing them anew for each file took a quarter of the time.
          isolate: false,
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
