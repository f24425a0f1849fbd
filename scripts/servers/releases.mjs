/**
 * The servers that the suite runs on. Each name is the product and the version that the program must report. Debian has the
 * package in these suites.
 */
export const RELEASES = {
  "valkey-8.0": { package: "valkey-server", suites: ["bookworm", "bookworm-backports"] },
  "valkey-8.1": { package: "valkey-server", suites: ["trixie"] },
  "valkey-9.1": { package: "valkey-server", suites: ["forky"] },
  "redis-7.0": { package: "redis-server", suites: ["bookworm"] },
};
