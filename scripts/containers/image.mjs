import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PULL_MS = 120_000;
const root = new URL("../../", import.meta.url);

/**
 * Makes sure that the images to test with are present. Each is the one that its variable names, the official one, or one
 * made from the program that is installed here. Returns the environment variables that name them.
 *
 * @throws Error if an image cannot be provided
 */
export function provideImages(env, say) {
  return {
    LATCHKEY_VALKEY_IMAGE: provide("valkey", "LATCHKEY_VALKEY_IMAGE", "docker-compose.yml", env, say),
    LATCHKEY_NODE_IMAGE: provide("node", "LATCHKEY_NODE_IMAGE", "Dockerfile", env, say),
    ...reaper(env),
  };
}

function provide(program, variable, file, env, say) {
  const official = officialImage(variable, file);
  const wanted = env[variable] || official;
  if (docker(["image", "inspect", wanted], env).status === 0) return wanted;
  say(`pulling ${wanted}`);
  const pull = docker(["pull", "--quiet", wanted], env);
  if (pull.status === 0) return wanted;
  if (wanted !== official)
    throw new Error(`${wanted} is neither present nor can it be pulled: ${lastLine(pull.stderr)}`);

  say(`it cannot be pulled (${lastLine(pull.stderr)}); making an image from the installed ${program}`);
  const script = fileURLToPath(new URL("scripts/container-image.sh", root));
  const made = spawnSync(script, [program], { env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (made.status !== 0) throw new Error(`No image could be made from the installed ${program}.`);
  return made.stdout.trim();
}

/** Returns the default of the variable in a file. */
function officialImage(variable, file) {
  const text = readFileSync(new URL(file, root), "utf8");
  const [, image] = new RegExp(`${variable}(?::-|=)([^}\\s]+)`).exec(text) ?? [];
  if (image === undefined) throw new Error(`${file} has no default for ${variable}.`);
  return image;
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
