import { spawnSync } from "node:child_process";
import { canInstall, install } from "./apt.mjs";

const PACKAGES = ["gcc", "libc6-dev"];

/**
 * Installs a C compiler in CI. The fault runner needs it for the library that sets a server's clock. Elsewhere it installs
 * nothing and prints what is missing.
 */
export function compiler(say) {
  if (spawnSync("cc", ["--version"], { stdio: "ignore" }).status === 0) return;
  const isCi = process.env.CI === "true" && canInstall();
  if (!isCi || !PACKAGES.every((name) => install(name, say))) {
    say(`no C compiler (cc): cannot set servers' clocks. Run: sudo apt-get install ${PACKAGES.join(" ")}`);
  }
}
