import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { agent, compileMachine } from "../../src/index.js";
import { manifest } from "../../src/lua/index.js";
import { freshFolder } from "../helpers/folder.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const name = `latchkey-lua-${version}`;

async function makeArchive(): Promise<{ folder: string; path: string }> {
  const folder = await freshFolder();
  const output = execFileSync(process.execPath, ["scripts/release-archive.mjs", folder], { cwd: root });
  return { folder, path: output.toString().trim() };
}

it("makes the same archive byte for byte on each run", async () => {
  const [first, second] = await Promise.all([makeArchive(), makeArchive()]);
  expect(first.path).toBe(join(first.folder, `${name}.tar.gz`));
  expect(readFileSync(second.path).equals(readFileSync(first.path))).toBe(true);
});

it("packs all that a client in another language needs, with correct checksums", async () => {
  const { folder, path } = await makeArchive();
  execFileSync("tar", ["xzf", path], { cwd: folder });
  const unpacked = join(folder, name);
  const read = (file: string) => readFileSync(join(unpacked, file), "utf8");
  execFileSync("sha256sum", ["--check", "--quiet", "SHA256SUMS"], { cwd: unpacked });
  const listed = read("SHA256SUMS")
    .trimEnd()
    .split("\n")
    .map((line) => line.slice(66));
  const scripts = Object.values(manifest.operations).map(({ file }) => file);
  expect(listed.toSorted()).toEqual(
    [
      ...scripts,
      manifest.library,
      "LICENSE",
      "README.md",
      "machine.schema.json",
      "machines/agent.json",
      "manifest.json",
    ].toSorted(),
  );
  expect(JSON.parse(read("manifest.json"))).toEqual(manifest);
  expect(read("machines/agent.json")).toBe(`${compileMachine(agent()).json}\n`);
  for (const { file, sha1 } of Object.values(manifest.operations)) {
    expect(execFileSync("sha1sum", [file], { cwd: unpacked }).toString()).toBe(`${sha1}  ${file}\n`);
  }
});
