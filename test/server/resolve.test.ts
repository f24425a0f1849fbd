import { afterEach, describe, expect, test, vi } from "vitest";
import { NoValkeyError } from "../../src/errors/no-valkey-error.js";
import { resolveServer } from "../../src/server/resolve.js";
import { freshFolder, shellScript } from "../helpers/folder.js";

const URLS = { LATCHKEY_URL: "valkey://a", VALKEY_URL: "valkey://b", REDIS_URL: "redis://c" };

afterEach(() => vi.unstubAllEnvs());

describe("resolveServer", () => {
  test("prefers the url option to everything else", async () => {
    const server = await resolveServer({ url: "valkey://option", env: URLS });
    expect(server).toEqual({ kind: "url", url: "valkey://option", namedBy: "--url" });
  });

  test.each([
    ["LATCHKEY_URL", URLS, "valkey://a"],
    ["VALKEY_URL", { ...URLS, LATCHKEY_URL: "" }, "valkey://b"],
    ["REDIS_URL", { REDIS_URL: "redis://c" }, "redis://c"],
  ])("uses %s and names the variable", async (variable, env, url) => {
    expect(await resolveServer({ env })).toEqual({ kind: "url", url, namedBy: `$${variable}` });
  });

  test("finds a program if no URL is given", async () => {
    const folder = await freshFolder();
    const bin = await shellScript(folder, "valkey-server", 'echo "Valkey server v=9.1.3 sha=0:0"');
    const server = await resolveServer({ env: { PATH: folder } });
    expect(server).toEqual({ kind: "program", program: { bin, product: "valkey", version: "9.1.3" } });
  });

  test("lists searched locations and install commands if there is no server", async () => {
    const env = { PATH: await freshFolder(), LATCHKEY_VALKEY_IMAGE: "local:image" };
    vi.stubEnv("PATH", env.PATH); // hides the docker command
    const attempt = resolveServer({ env, usualPlaces: [] });
    const error = await attempt.catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(NoValkeyError);
    expect(String(error)).toBe(`NoValkeyError: No Valkey to start.
  Looked for:
    $LATCHKEY_URL           not set
    $VALKEY_URL             not set
    $REDIS_URL              not set
    $LATCHKEY_VALKEY_BIN    not set
    valkey-server on PATH   not found
    redis-server on PATH    not found
    Docker (local:image)    docker not found
  Fix it with one of:
    Debian 13, Ubuntu 24.04+   sudo apt-get install valkey-server
    Debian 12                  sudo apt-get install -t bookworm-backports valkey-server
    macOS                      brew install valkey
    Docker                     docker pull valkey/valkey:9.0.8
  Or name a server program: LATCHKEY_VALKEY_BIN=/path/to/valkey-server`);
  });
});
