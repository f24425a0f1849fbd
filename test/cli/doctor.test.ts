import { beforeAll, describe, expect, test, vi } from "vitest";
import { isFailure } from "../../src/cli/actions/doctor.js";
import type { Level } from "../../src/doctor/finding.js";
import { allRules } from "../../src/doctor/rights/lines.js";
import { built } from "../helpers/built.js";
import { agentCommandLine, commandLine, jsonError } from "../helpers/command-line.js";
import { connected, ownServer } from "../helpers/doctor.js";
import { startLatchkey } from "../helpers/long-run.js";

beforeAll(built);

interface Report {
  readonly server: string;
  readonly worst: Level;
  readonly findings: readonly { id: string; level: string; seen: string; means: string; mend?: string }[];
  readonly acl: { readonly writer: string; readonly reader: string };
}

/** A fresh command line, its doctor's report, and how that ended. */
async function report(words: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
  const line = await agentCommandLine();
  const ended = await line.run(["doctor", "-o", "json", ...words], env);
  return { ...line, ended, report: JSON.parse(ended.stdout) as Report };
}

describe("doctor", () => {
  test("tells each finding with what it means; the worst decides how it ends", async () => {
    const { run, ended, report: told, url } = await report();
    const levels = told.findings.map(({ level }) => level);
    const worst = ["bad", "warn", "note", "ok"].find((level) => levels.includes(level));
    expect(told.worst).toBe(worst);
    expect(told.server).toBe(url);
    expect(ended).toMatchObject({ exit: worst === "bad" ? 1 : 0, stderr: "" });
    for (const { seen, means } of told.findings) expect([seen, means]).not.toContain("");
    // Nothing is kept on the disk of a server that lives for a test.
    expect(told.findings).toContainEqual(expect.objectContaining({ id: "appendonly", level: "bad" }));
    const page = await run(["doctor"]);
    expect(page.exit).toBe(1);
    expect(page.stdout).toMatch(/^bad {3}\S+ +\S.*\n {6}\S.*\n {6}fix: /);
    expect(page.stdout).toMatch(/^ok {4}role +primary$/m);
    expect(page.stdout).toContain(told.acl.writer);
    expect(page.stdout).toContain(told.acl.reader);
    const count = (level: string) => levels.filter((one) => one === level).length;
    expect(page.stderr).toBe(
      `${url}: ${count("bad")} bad, ${count("warn")} warn, ${count("note")} note, ${count("ok")} ok\n`,
    );
    const wide = await run(["doctor", "-o", "wide"]);
    const [head, ...rows] = wide.stdout.trimEnd().split("\n");
    expect(head).toMatch(/^LEVEL +CHECK +STATUS +MEANING +FIX$/);
    expect(rows.length).toBe(told.findings.length);
  });

  test("pastes commands that lead to the same location, without a password", async () => {
    const { run, url, namespace } = await commandLine();
    const given = url.replace("://", "://default:sesame@");
    const ended = await run(["doctor", "--url", given, "--namespace", namespace]);
    expect(ended.stdout).toContain(
      `latchkey.js apply --namespace ${namespace} --url ${url.replace("://", "://default@")}\n`,
    );
    expect(ended.stdout + ended.stderr).not.toContain("sesame");
  });

  test("does without rights what can be done without, and says what to grant: one line", async () => {
    const { server, admin } = await ownServer();
    await admin.call("ACL", "SETUSER", "few", "reset", "on", ">few", ...allRules("writer", "latchkey"));
    const { run } = await commandLine();
    const env = {
      LATCHKEY_URL: server.url.replace("://", "://few@"),
      LATCHKEY_PASSWORD: "few",
      LATCHKEY_NAMESPACE: "latchkey",
    };
    const ended = await run(["doctor"], env);
    expect(ended.stdout).toContain("not allowed to look: needs +config|get\n");
    const line = /^ {2}(ACL SETUSER few .*)$/m.exec(ended.stdout)?.[1] ?? "";
    expect(line.split(" ").slice(3).sort()).toEqual(
      ["+acl|getuser", "+config|get", "+function|list", "+function|stats", "+script|exists"].filter(
        (need) => need !== "+acl|getuser" || line.includes(need),
      ),
    );
    expect(ended.stdout).not.toContain("To create users");
    await admin.call(...(line.split(" ") as [string, ...string[]]));
    expect((await run(["doctor"], env)).stdout).not.toContain("not allowed to look");
  });

  test.each([
    ["ok", false, false],
    ["note", false, false],
    ["warn", false, true],
    ["bad", true, true],
  ] as const)("where the worst is %s fails: %s, and with --strict: %s", (worst, lax, strict) => {
    expect([isFailure(worst, false), isFailure(worst, true)]).toEqual([lax, strict]);
  });

  test("takes --strict", async () => {
    const { ended, report: told } = await report(["--strict"]);
    expect(ended).toMatchObject({ exit: isFailure(told.worst, true) ? 1 : 0, stderr: "" });
  });

  test("looks at a namespace that another version wrote, where other commands refuse", async () => {
    const { run, namespace, latchkey, url } = await agentCommandLine();
    const { client } = await connected({ url });
    await client.hset(`{${namespace}}:meta`, "layout", "2");
    expect((await run(["machines"])).exit).toBe(8);
    const ended = await run(["doctor"]);
    expect(ended.exit).toBe(1);
    expect(ended.stdout).toMatch(RegExp(`^bad +namespace +${latchkey.namespace} has layout 2$`, "m"));
  });

  test("finds a server busy with a slow script; other commands say so: 7", async () => {
    const { server, admin } = await ownServer();
    await admin.config("SET", "busy-reply-threshold", "20");
    const endless = admin.eval("while true do end", 0).catch((error: unknown) => error);
    const { run } = await commandLine();
    const env = { LATCHKEY_URL: server.url };
    await vi.waitFor(async () => {
      const ended = await run(["doctor", "-o", "json"], env);
      const told = JSON.parse(ended.stdout) as Report;
      expect([ended.exit, told.findings.map(({ id }) => id)]).toEqual([1, ["busy"]]);
    }, 20_000);
    const other = await run(["machines"], env);
    expect(other).toMatchObject({ exit: 7, stdout: "" });
    expect(other.stderr).toContain("the server is running a slow script");
    await server.stop();
    await endless;
  });

  test("exits as it would with a reader where there is none", async () => {
    const { env } = await commandLine();
    const unread = await startLatchkey(["doctor"], env);
    unread.child.stdout?.destroy();
    expect((await unread.ended).exit).toBe(1);
  });

  test("ends as other commands do where there is no server, or no such format or namespace", async () => {
    const { run } = await commandLine();
    const nobody = await run(["doctor", "--url", "valkey://127.0.0.1:1", "-o", "json"]);
    expect(nobody).toMatchObject({ exit: 7, stdout: "" });
    expect(jsonError(nobody)).toMatchObject({ code: "UNREACHABLE" });
    expect(await run(["doctor", "-o", "yaml"])).toMatchObject({ exit: 2, stdout: "" });
    expect(await run(["doctor", "--namespace", "No*"])).toMatchObject({ exit: 2, stdout: "" });
  });
});
