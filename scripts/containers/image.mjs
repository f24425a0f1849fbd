import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const OFFICIAL = "valkey/valkey:9.1";
const PULL_MS = 120_000;

/**
 * Makes sure that there is an image to test with: the one that LATCHKEY_VALKEY_IMAGE names, the official one, or
 * one made from the installed server. Returns the environment variables that go with it; throws an Error when
 * there is none.
 */
export function provideImage(env, say) {
  const wanted = env.LATCHKEY_VALKEY_IMAGE || OFFICIAL;
  if (docker(["image", "inspect", wanted], env).status === 0)
    return { LATCHKEY_VALKEY_IMAGE: wanted, ...reaper(env) };
  say(`pulling ${wanted}`);
  const pull = docker(["pull", "--quiet", wanted], env);
  if (pull.status === 0) return { LATCHKEY_VALKEY_IMAGE: wanted, ...reaper(env) };
  if (wanted !== OFFICIAL)
    throw new Error(`${wanted} can be neither found nor pulled: ${lastLine(pull.stderr)}`);

  say(`it cannot be pulled (${lastLine(pull.stderr)}); making an image from the installed valkey-server`);
  const script = fileURLToPath(new URL("../container-image.sh", import.meta.url));
  const made = spawnSync(script, { env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (made.status !== 0) throw new Error("No image could be made from the installed valkey-server.");
  return { LATCHKEY_VALKEY_IMAGE: made.stdout.trim(), ...reaper(env) };
}

/** testcontainers cleans up with an image of its own. If that image is unavailable, the tests do without it. */
function reaper(env) {
  const image = env.RYUK_CONTAINER_IMAGE || "testcontainers/ryuk";
  const present = docker(["images", "--quiet", image], env).stdout.trim() !== "";
  return present ? {} : { TESTCONTAINERS_RYUK_DISABLED: "true" };
}

function docker(args, env) {
  return spawnSync("docker", args, {
    env,
    encoding: "utf8",
    timeout: PULL_MS,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

function lastLine(text) {
  return text.trim().split("\n").at(-1) ?? "";
}
