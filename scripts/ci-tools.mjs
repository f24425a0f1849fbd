// Installs the tools that lint and tests need besides Node and Valkey. `.ci/run` calls it, as root on Debian or Ubuntu.
// On a developer's machine these tools are optional: whatever needs a missing one is skipped.
import { spawnSync } from "node:child_process";
import { canInstall, install } from "./setup/apt.mjs";

/** The packages that provide each command. */
const PACKAGES = {
  luacheck: ["lua-check"],
  dockerd: ["docker.io"],
  cc: ["gcc", "libc6-dev"],
  pg_lsclusters: ["postgresql"],
  openssl: ["openssl"],
  python3: ["python3"],
  java: ["default-jre-headless"],
  mvn: ["maven"],
  zsh: ["zsh"],
  fish: ["fish"],
};

const say = (line) => console.error(`tools: ${line}`);
const isMissing = (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).error !== undefined;

const wanted = Object.keys(PACKAGES).filter(isMissing);
if (canInstall()) for (const command of wanted) for (const name of PACKAGES[command]) install(name, say);
const missing = wanted.filter(isMissing);
if (missing.length > 0) {
  say(`missing: ${missing.join(", ")}`);
  say(`install them: sudo apt-get install ${missing.flatMap((command) => PACKAGES[command]).join(" ")}`);
  process.exitCode = 1;
}
