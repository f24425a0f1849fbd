import { spawnSync } from "node:child_process";
import { canInstall, install } from "./apt.mjs";

const PACKAGES = ["gcc", "libc6-dev"];

/**
 * Makes sure, in CI, that there is a C compiler: the fault runner builds with it what sets a server's clock. Elsewhere
 * nothing is installed; what needs it is left out there, and says so.
 */
export function compiler(say) {
  if (spawnSync("cc", ["--version"], { stdio: "ignore" }).status === 0) return;
  const isCi = process.env.CI === "true" && canInstall();
  if (!isCi || !PACKAGES.every((name) => install(name, say))) {
    say(`no C compiler (cc): servers' clocks can't be set. sudo apt-get install ${PACKAGES.join(" ")}`);
  }
}
