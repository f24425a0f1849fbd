import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import { RESERVED_FIELDS } from "../../src/machine/names.js";
import { startValkey } from "../../src/testing/index.js";
import { partitionOf } from "../../src/valkey/partition.js";
import { freshFolder, shellScript } from "../helpers/folder.js";
import { session, table } from "../helpers/lua-readme.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const run = promisify(execFile);

/** Replaces times and positions, which differ from run to run. */
function timeless(text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "<time>")
    .replace(/\b\d{13}-\d+\b/g, "<position>");
}

it("shows a session that goes exactly as it says, with valkey-cli and the built files alone", async () => {
  const server = await startValkey(); // of its own, since a function library belongs to the whole server
  onTestFinished(() => server.stop());
  const { stdout: found } = await run("bash", ["-c", "command -v valkey-cli || command -v redis-cli"]);
  const bin = await freshFolder();
  await shellScript(bin, "valkey-cli", `exec ${found.trim()} -h ${server.host} -p ${server.port} "$@"`);
  const steps = session();
  const script = ["exec 2>&1", ...steps.map(({ command }) => `${command}\nprintf '\\036'`)].join("\n");
  const { stdout } = await run("bash", ["-euo", "pipefail", "-c", script], {
    cwd: root,
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}` },
  });
  const outputs = stdout.split("\u001e").slice(0, -1);
  expect(outputs).toHaveLength(steps.length);
  expect(
    steps.map(({ command }, at) => ({ command, output: timeless(String(outputs[at]).trimEnd()) })),
  ).toEqual(steps.map(({ command, output }) => ({ command, output: timeless(output.trimEnd()) })));
});

it("documents the partitions that a cluster's own function and the client compute", async () => {
  const server = await startValkey({ args: ["--cluster-enabled", "yes"] });
  onTestFinished(() => server.stop());
  const valkey = new Valkey({ host: server.host, port: server.port, enableReadyCheck: false });
  onTestFinished(() => valkey.disconnect());
  const [head = [], ...rows] = table("id", "CRC16");
  expect(rows).toHaveLength(3);
  for (const [id = "", crc, ...partitions] of rows) {
    expect(await valkey.cluster("KEYSLOT", id)).toBe(Number(crc) % 16384);
    expect(partitionOf(id, 65536)).toBe(Number(crc));
    for (const [at, header] of head.slice(2).entries()) {
      expect(partitions[at]).toBe(String(Number(crc) % Number(header.replace("mod ", ""))));
    }
  }
});

it("names the reserved words that the client knows", () => {
  const row = table("what", "is").find(([what]) => what === "own field");
  const words = /none of (.*)$/.exec(String(row?.[1]))?.[1]?.split(" ") ?? [];
  expect(new Set(words)).toEqual(RESERVED_FIELDS);
});
