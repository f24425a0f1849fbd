import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { aptSources, canInstall, hasCandidate, install, release } from "./apt.mjs";
import { backportsSource, offersSuite } from "./apt-sources.mjs";
import { SetUpError } from "./set-up-error.mjs";

/** Exit code if no server is available: that of the command line for an unreachable server. */
const UNREACHABLE = 7;

/** Makes sure that there is a Valkey server to start. It runs after the build, whose search it shares. */
export const server = {
  async isPending(root) {
    const { NoValkeyError } = await import(built(root, "errors/no-valkey-error.js"));
    const { resolveEmbedded } = await import(built(root, "server/resolve.js"));
    try {
      await resolveEmbedded();
      return false;
    } catch (error) {
      if (error instanceof NoValkeyError) return true;
      throw new SetUpError(error.message, UNREACHABLE);
    }
  },

  announcement: () => "no Valkey server found",

  async run(root, say) {
    if (!canInstall()) throw new SetUpError(await whatToType(root), UNREACHABLE);
    if (!install("valkey-server", say)) throw new SetUpError(await whatToType(root), UNREACHABLE);
    if (existsSync("/run/systemd/system")) {
      // Debian's package starts a service on 6379. latchkey starts servers of its own and has no use for it.
      say(
        "stopping and disabling the service that the package started (systemctl disable --now valkey-server)",
      );
      spawnSync("systemctl", ["disable", "--now", "valkey-server"], { stdio: ["ignore", "ignore", 2] });
    }
    if (await this.isPending(root)) throw new SetUpError(await whatToType(root), UNREACHABLE);
  },
};

async function whatToType(root) {
  const { NoValkeyError } = await import(built(root, "errors/no-valkey-error.js"));
  const { findServer } = await import(built(root, "server/find.js"));
  const { looked } = await findServer();
  const more = hasCandidate("valkey-server") ? [] : aptLine(release(), aptSources());
  return [new NoValkeyError(looked).message, ...more].join("\n");
}

/** Returns extra lines for a release of Debian that has the server in backports only. */
export function aptLine({ ID, VERSION_CODENAME: codename }, sources) {
  const suite = `${codename}-backports`;
  if (ID !== "debian" || offersSuite(sources, suite)) return [];
  const text = backportsSource(sources, codename);
  if (text === undefined) return [];
  const lines = text
    .replace(/\/\/[^/@\s]*@/g, "//")
    .trimEnd()
    .split("\n");
  const quoted = lines.map((line) => `'${line.replaceAll("'", "'\\''")}'`).join(" ");
  return [
    `  apt on this machine does not know ${suite} yet. Add it first:`,
    `    printf '%s\\n' ${quoted} | sudo tee /etc/apt/sources.list.d/${suite}.sources && sudo apt-get update`,
  ];
}

function built(root, file) {
  return pathToFileURL(join(root, "dist", file)).href;
}
