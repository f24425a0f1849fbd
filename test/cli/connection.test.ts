import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { built } from "../helpers/built.js";
import { admin } from "../helpers/calls.js";
import { agentCommandLine, commandLine, jsonError } from "../helpers/command-line.js";
import { freshFolder } from "../helpers/folder.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

beforeAll(built);

const NOBODY = "valkey://127.0.0.1:1";

describe("the server", () => {
  test("that is unreachable is named, with the cause and what to do: 7", async () => {
    const { run } = await commandLine();
    const ended = await run(["get", "a1", "--url", NOBODY]);
    expect(ended).toMatchObject({ exit: 7, stdout: "" });
    expect(ended.stderr).toMatch(
      /^error: cannot use Valkey at valkey:\/\/127\.0\.0\.1:1: connection refused: no server listens there; start the server, or correct the URL \(ECONNREFUSED\)\n$/,
    );
    const json = await run(["list", "--url", NOBODY, "-o", "json"]);
    expect(json).toMatchObject({ exit: 7, stdout: "" });
    expect(jsonError(json)).toMatchObject({ code: "UNREACHABLE", message: expect.stringContaining(NOBODY) });
  });

  test("is named by option, LATCHKEY_URL and VALKEY_URL, in that order", async () => {
    const { run, url, agents } = await agentCommandLine();
    await agents.create("a1");
    const ended = await Promise.all([
      run(["get", "a1", "--url", url], { LATCHKEY_URL: NOBODY }),
      run(["--url", url, "get", "a1"], { LATCHKEY_URL: NOBODY }),
      run(["get", "a1"], { VALKEY_URL: NOBODY }),
      run(["get", "a1"], { LATCHKEY_URL: "", VALKEY_URL: url }),
      run(["get", "a1", "--url", NOBODY]),
    ]);
    expect(ended.map(({ exit }) => exit)).toEqual([0, 0, 0, 0, 7]);
  });

  test("an invalid time limit is wrong usage, and the error names where it stands: 2", async () => {
    const { run } = await commandLine();
    for (const [words, env, name] of [
      [["count", "--timeout", "soon"], {}, "--timeout"],
      [["wait", "a1", "running", "--timeout", "0"], {}, "--timeout"],
      [["count"], { LATCHKEY_TIMEOUT: "soon" }, "LATCHKEY_TIMEOUT"],
    ] as const) {
      const ended = await run([...words], env);
      expect(ended).toMatchObject({ exit: 2, stdout: "" });
      expect(ended.stderr).toMatch(
        RegExp(`^error: invalid ${name} "(soon|0)"\\. It must be a duration such as 500ms`),
      );
    }
  });

  test("a time limit without a unit is wrong usage, and the error gives both units: 2", async () => {
    const { run } = await commandLine();
    for (const [words, env, name] of [
      [["count", "--timeout", "5"], {}, "--timeout"],
      [["count"], { LATCHKEY_TIMEOUT: "5" }, "LATCHKEY_TIMEOUT"],
    ] as const) {
      const stderr = expect.stringMatching(
        RegExp(`^error: invalid ${name} "5": it needs a unit, such as 5s or 5ms\n`),
      );
      expect(await run([...words], env)).toMatchObject({ exit: 2, stdout: "", stderr });
    }
  });

  test("machine and namespace: options take precedence over the environment", async () => {
    const { run, namespace, agents } = await agentCommandLine();
    await agents.create("a1");
    const elsewhere = { LATCHKEY_NAMESPACE: freshNamespace(), LATCHKEY_MACHINE: "order" };
    const [none, machine, both] = await Promise.all([
      run(["get", "a1", "-o", "name"], elsewhere),
      run(["get", "a1", "-o", "name", "-m", "agent"], elsewhere),
      run(["get", "a1", "-o", "name", "-m", "agent", "--namespace", namespace], elsewhere),
    ]);
    expect(none.stderr).toContain(`namespace "${elsewhere.LATCHKEY_NAMESPACE}" has no machines`);
    expect(machine.stderr).toContain(`namespace "${elsewhere.LATCHKEY_NAMESPACE}" has no machines`);
    expect(both).toEqual({ exit: 0, stdout: "a1\n", stderr: "" });
  });

  test("pasted commands lead to the same location, without a password", async () => {
    const { run, url, namespace, agents } = await agentCommandLine();
    await agents.create("a1");
    const port = new URL(url).port;
    const given = `valkey://default:sesame@127.0.0.1:${port}`;
    const { stdout, stderr } = await run(["get", "a1", "--url", given, "--namespace", namespace]);
    expect(stdout).toContain(
      `transition a1 running --namespace ${namespace} --url valkey://default@127.0.0.1:${port}\n`,
    );
    expect(stderr).toMatch(/^warning: a password in --url is visible in the process list/);
    expect(stdout + stderr).not.toContain("sesame");
  });

  test("with an invalid URL is a usage error: 2, and the URL is not repeated", async () => {
    const { run } = await commandLine();
    for (const url of ["http://u:sesame@127.0.0.1", "sesame", "valkey://h/sesame"]) {
      const ended = await run(["count"], { LATCHKEY_URL: url });
      expect(ended).toMatchObject({ exit: 2, stdout: "" });
      expect(ended.stderr).toContain("write it like valkey://localhost:6379");
      expect(ended.stderr).not.toContain("sesame");
    }
  });
});

describe("passwords", () => {
  test("come from the environment or a file; a wrong one is reported, and never shown: 7", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    const { host, port } = await useValkey();
    await (await admin()).acl("SETUSER", "operator", "on", ">open-sesame", "~*", "&*", "+@all");
    const url = `valkey://operator@${host}:${port}`;
    const folder = await freshFolder();
    const [right, wrong, empty] = ["right", "wrong", "empty"].map((name) => join(folder, name));
    await writeFile(String(right), "open-sesame\n");
    await writeFile(String(wrong), "close-sesame");
    await writeFile(String(empty), "\n");
    const get = (words: string[], password?: string) =>
      run(["get", "a1", "-o", "name", ...words], {
        LATCHKEY_URL: url,
        ...(password !== undefined && { LATCHKEY_PASSWORD: password }),
      });
    const [byEnv, byFile, fileFirst, badEnv, badFile, none, noFile, emptyFile] = await Promise.all([
      get([], "open-sesame"),
      get(["--password-file", String(right)]),
      get(["--password-file", String(right)], "close-sesame"),
      get([], "close-sesame"),
      get(["--password-file", String(wrong)], "open-sesame"),
      get([]),
      get(["--password-file", join(folder, "absent")]),
      get(["--password-file", String(empty)]),
    ]);
    for (const ended of [byEnv, byFile, fileFirst]) {
      expect(ended).toEqual({ exit: 0, stdout: "a1\n", stderr: "" });
    }
    for (const ended of [badEnv, badFile]) {
      expect(ended).toMatchObject({ exit: 7, stdout: "" });
      expect(ended?.stderr).toContain("authentication failed");
      expect(ended?.stderr).toContain("LATCHKEY_PASSWORD or --password-file");
      expect(ended?.stderr).not.toContain("sesame");
    }
    expect(none?.exit).not.toBe(0);
    expect(noFile).toMatchObject({
      exit: 2,
      stderr: expect.stringMatching(/cannot read the password file .* \(ENOENT\)/),
    });
    expect(emptyFile).toMatchObject({ exit: 2, stderr: expect.stringContaining("is empty") });
  });

  test("that are wrong are reported without advice that the command line warns of", async () => {
    const { run, url } = await commandLine();
    const ended = await run(["count", "--url", url.replace("//", "//nobody@")], { LATCHKEY_PASSWORD: "x" });
    expect(ended.stderr).toContain("authentication failed");
    expect(ended.stderr).not.toContain("into the URL");
  });

  test("of the client itself do not reach the terminal", async () => {
    const { run } = await agentCommandLine();
    const ended = await run(["get", "a1", "-o", "json"], { LATCHKEY_PASSWORD: "sesame" });
    expect(jsonError(ended)).toMatchObject({ code: "NOTFOUND" });
  });

  test("a user without permission for INFO gets the same results, and no warning of the client", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    const { host, port } = await useValkey();
    await (await admin()).acl("SETUSER", "quiet", "on", ">quiet", "~*", "&*", "+@all", "-info");
    const env = { LATCHKEY_URL: `valkey://quiet@${host}:${port}`, LATCHKEY_PASSWORD: "quiet" };
    expect(await run(["get", "a1", "-o", "name"], env)).toEqual({ exit: 0, stdout: "a1\n", stderr: "" });
    expect(jsonError(await run(["get", "a2", "-o", "json"], env))).toMatchObject({ code: "NOTFOUND" });
    const events = await run(["events", "-o", "name"], env);
    expect(events.stderr).toMatch(/^next events: --after \S+\n$/);
  });

  test("a user without permissions gets an error that names them: 7", async () => {
    const { run, agents } = await agentCommandLine();
    await agents.create("a1");
    const { host, port } = await useValkey();
    await (await admin()).acl("SETUSER", "guest", "on", ">guest", "~*", "&*", "+@all", "-hgetall");
    const env = { LATCHKEY_URL: `valkey://guest@${host}:${port}`, LATCHKEY_PASSWORD: "guest" };
    const ended = await run(["get", "a1"], env);
    expect(ended).toMatchObject({ exit: 7, stdout: "" });
    expect(ended.stderr).toMatch(
      /^error: get agent a1 was rejected: .*NOPERM.*\n {2}try: node bin\/latchkey\.js acl --role reader\n$/,
    );
  });
});

test("a namespace of another layout is rejected: 8", async () => {
  const { run, namespace } = await agentCommandLine();
  await (await admin()).hset(`{${namespace}}:meta`, "layout", "1");
  const ended = await run(["count"]);
  expect(ended).toMatchObject({ exit: 8, stdout: "" });
  expect(ended.stderr).toContain("has layout 1, this version of latchkey works with 2");
});
