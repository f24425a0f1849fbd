// Makes latchkey-lua-<version>.tar.gz: everything that a client in another language needs, for teams without Node.
// The archive is the same byte for byte on each run: fixed order, times, owners and modes.
// Usage: npm run release:archive [-- FOLDER]   (default: the folder of the repository)
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path) => readFileSync(join(root, path));
const { agent, compileMachine } = await import(new URL("../dist/index.js", import.meta.url).href);
const { version } = JSON.parse(read("package.json").toString());

const files = new Map(
  readdirSync(join(root, "dist/lua"))
    .filter((name) => /\.lua$|^manifest\.json$/.test(name))
    .map((name) => [name, read(`dist/lua/${name}`)]),
);
files.set("machines/agent.json", Buffer.from(`${compileMachine(agent()).json}\n`));
files.set("machine.schema.json", read("schema/machine.schema.json"));
files.set("README.md", read("lua/README.md"));
files.set("LICENSE", read("LICENSE"));
const sums = [...files].map(
  ([name, data]) => `${createHash("sha256").update(data).digest("hex")}  ${name}\n`,
);
files.set("SHA256SUMS", Buffer.from(sums.sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)).join("")));

const folder = `latchkey-lua-${version}`;
const archive = pack();
const bytes = buffer(archive);
for (const name of [...files.keys()].sort()) {
  archive.entry({ name: `${folder}/${name}`, mode: 0o644, mtime: new Date(0) }, files.get(name));
}
archive.finalize();

const path = resolve(process.argv[2] ?? root, `${folder}.tar.gz`);
// zlib writes no time, and the level is fixed. The byte at 9 names the operating system: 255 is "unknown".
const compressed = gzipSync(await bytes, { level: 9 });
compressed[9] = 255;
writeFileSync(path, compressed);
console.log(path);
