import { beforeAll, describe, expect, test, vi } from "vitest";
import { isFailure } from "../../src/cli/actions/doctor.js";
import type { Level } from "../../src/doctor/check-result.js";
import { allRules } from "../../src/doctor/permissions/acl.js";
import { built } from "../helpers/built.js";
import { agentCommandLine, commandLine, jsonError } from "../helpers/command-line.js";
import { connected, ownServer } from "../helpers/doctor.js";
import { startLatchkey } from "../helpers/long-run.js";

beforeAll(built);

interface Report {
  readonly server: string;
  readonly worst: Level;
  readonly checks: readonly { id: string; level: string; status: string; meaning: string; fix?: string }[];
}

/** Runs the doctor in a fresh namespace and returns its report. */
async function report(words: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
  const line = await agentCommandLine();
  const ended = await line.run(["doctor", "-o", "json", ...words], env);
  return { ...line, ended, report: JSON.parse(ended.stdout) as Report };
}

describe("doctor", () => {
  test("prints each result with its meaning, and the most severe one decides the exit code", async () => {
    const { run, ended, report: doctor, url } = await report();
    const levels = doctor.checks.map(({ level }) => level);
    const worst = ["fail", "warn", "info", "ok"].find((level) => levels.includes(level));
    expect(doctor.worst).toBe(worst);
    expect(doctor.server).toBe(url);
    expect(ended).toMatchObject({ exit: worst === "fail" ? 1 : 0, stderr: "" });
    for (const { status, meaning } of doctor.checks) expect([status, meaning]).not.toContain("");
    // The server of a test has no append-only file.
    expect(doctor.checks).toContainEqual(expect.objectContaining({ id: "appendonly", level: "fail" }));
    const page = await run(["doctor"]);
    expect(page.exit).toBe(1);
    expect(page.stdout).toMatch(/^fail {2}\S+ +\S.*\n {6}\S.*\n {6}fix: /);
    expect(page.stdout).toMatch(/^ok {4}role +primary$/m);
    expect(page.stdout).toMatch(/^ {6}fix: node bin\/latchkey\.js acl --role writer$/m);
    const count = (level: string) => levels.filter((one) => one === level).length;
    expect(page.stderr).toBe(
      `${url}: ${count("fail")} fail, ${count("warn")} warn, ${count("info")} info, ${count("ok")} ok\n`,
    );
    const wide = await run(["doctor", "-o", "wide"]);
    const [head, ...rows] = wide.stdout.trimEnd().split("\n");
    expect(head).toMatch(/^LEVEL +CHECK +STATUS +MEANING +FIX$/);
    expect(rows.length).toBe(doctor.checks.length);
  });

  test("prints commands for the same server and namespace, without a password", async () => {
    const { run, url, namespace } = await commandLine();
    const given = url.replace("://", "://default:sesame@");
    const ended = await run(["doctor", "--url", given, "--namespace", namespace]);
    expect(ended.stdout).toContain(
      `latchkey.js apply --namespace ${namespace} --url ${url.replace("://", "://default@")}\n`,
    );
    expect(ended.stdout + ended.stderr).not.toContain("sesame");
  });

  test("runs without some permissions, names them, and prints the line of a role that has them", async () => {
    const { server, admin } = await ownServer();
    const create = (name: string, role: "writer" | "operator"): Promise<unknown> =>
      admin.call(
        ...["ACL", "SETUSER", name, "reset", "on", ">few"],
        ...allRules({ roles: [role], namespace: "latchkey" }),
      );
    await create("few", "writer");
    const { run } = await commandLine();
    const env = (name: string): NodeJS.ProcessEnv => ({
      LATCHKEY_URL: server.url.replace("://", `://${name}@`),
      LATCHKEY_PASSWORD: "few",
      LATCHKEY_NAMESPACE: "latchkey",
    });
    const { stdout } = await run(["doctor"], env("few"));
    expect(stdout).toContain("permission denied: needs +config|get\n");
    const line = /^Some checks were denied: this user lacks (.*)$/m.exec(stdout)?.[1] ?? "";
    expect(line.split(" ").sort()).toEqual(
      ["+acl|getuser", "+config|get", "+function|list", "+function|stats", "+script|exists"].filter(
        (need) => need !== "+acl|getuser" || line.includes(need),
      ),
    );
    expect(stdout).toMatch(/Its permissions: node bin\/latchkey\.js acl --role operator\b/);
    expect(stdout).not.toContain("SETUSER few");
    await create("many", "operator");
    expect((await run(["doctor"], env("many"))).stdout).not.toContain("denied");
  });

  test.each([
    ["ok", false, false],
    ["info", false, false],
    ["warn", false, true],
    ["fail", true, true],
  ] as const)("the most severe level %s fails: %s, and with --strict: %s", (worst, lax, strict) => {
    expect([isFailure(worst, false), isFailure(worst, true)]).toEqual([lax, strict]);
  });

  test("takes --strict", async () => {
    const { ended, report: doctor } = await report(["--strict"]);
    expect(ended).toMatchObject({ exit: isFailure(doctor.worst, true) ? 1 : 0, stderr: "" });
  });

  test("checks a namespace of another version, which other commands reject", async () => {
    const { run, namespace, latchkey, url } = await agentCommandLine();
    const { client } = await connected({ url });
    await client.hset(`{${namespace}}:meta`, "layout", "1");
    expect((await run(["machines"])).exit).toBe(8);
    const ended = await run(["doctor"]);
    expect(ended.exit).toBe(1);
    expect(ended.stdout).toMatch(RegExp(`^fail +namespace +${latchkey.namespace} has layout 1$`, "m"));
  });

  test("reports a server that is busy with a slow script; other commands exit 7", async () => {
    const { server, admin } = await ownServer();
    await admin.config("SET", "busy-reply-threshold", "20");
    const endless = admin.eval("while true do end", 0).catch((error: unknown) => error);
    const { run } = await commandLine();
    const env = { LATCHKEY_URL: server.url };
    await vi.waitFor(async () => {
      const ended = await run(["doctor", "-o", "json"], env);
      const doctor = JSON.parse(ended.stdout) as Report;
      expect([ended.exit, doctor.checks.map(({ id }) => id)]).toEqual([1, ["busy"]]);
    }, 20_000);
    const other = await run(["machines"], env);
    expect(other).toMatchObject({ exit: 7, stdout: "" });
    expect(other.stderr).toContain("the server is running a slow script");
    await server.stop();
    await endless;
  });

  test("exits with the same code if the output pipe closes", async () => {
    const { env } = await commandLine();
    const unread = await startLatchkey(["doctor"], env);
    unread.child.stdout?.destroy();
    expect((await unread.ended).exit).toBe(1);
  });

  test("exits like other commands without a server, for an unknown format and for an invalid namespace", async () => {
    const { run } = await commandLine();
    const nobody = await run(["doctor", "--url", "valkey://127.0.0.1:1", "-o", "json"]);
    expect(nobody).toMatchObject({ exit: 7, stdout: "" });
    expect(jsonError(nobody)).toMatchObject({ code: "UNREACHABLE" });
    expect(await run(["doctor", "-o", "yaml"])).toMatchObject({ exit: 2, stdout: "" });
    expect(await run(["doctor", "--namespace", "No*"])).toMatchObject({ exit: 2, stdout: "" });
  });
});
