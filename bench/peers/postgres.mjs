// Starts a PostgreSQL server with a new cluster in a temporary folder.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const DEBIAN = "/usr/lib/postgresql";
/** Stops the server when the bench ends in any way: its end closes the standard input. */
const SCRIPT = '"$@" >&2 & echo $!; read -r _; kill -QUIT $!; wait $!';
const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: "300",
  log_min_messages: "panic",
};

/** Returns the folder of the server's programs; undefined if PostgreSQL is not installed. */
function programs() {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions.map((version) => join(DEBIAN, version, "bin"));
  const onPath = (process.env.PATH ?? "").split(":");
  return [...found, ...onPath].find((folder) => existsSync(join(folder, "initdb")));
}

/** Returns the account that runs the server, which rejects root. */
function account() {
  if (process.getuid() !== 0) return {};
  const idOf = (flag) => Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" }));
  return { uid: idOf("-u"), gid: idOf("-g") };
}

/** Starts a server; undefined if PostgreSQL is not installed. Its settings are the defaults, but for connections. */
export async function startPostgres() {
  const folder = programs();
  if (folder === undefined) return undefined;
  const owner = account();
  const data = mkdtempSync(join(tmpdir(), "latchkey-postgres-"));
  if (owner.uid !== undefined) chownSync(data, owner.uid, owner.gid);
  chmodSync(data, 0o700);
  const make = ["-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"];
  const made = spawnSync(join(folder, "initdb"), make, { ...owner, cwd: data, encoding: "utf8" });
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr}`);
  const port = await freePort();
  const settings = Object.entries(SETTINGS).flatMap(([setting, value]) => ["-c", `${setting}=${value}`]);
  const command = [join(folder, "postgres"), "-D", data, "-p", String(port), ...settings];
  const options = { ...owner, cwd: data, stdio: ["pipe", "pipe", "inherit"] };
  const child = spawn("/bin/sh", ["-c", SCRIPT, "sh", ...command], options);
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  await ready(folder, port);
  const { stdout } = spawnSync(join(folder, "postgres"), ["--version"], { encoding: "utf8" });
  return {
    port,
    pid: Number(line),
    version: /[\d.]+/.exec(stdout)[0],
    async stop() {
      child.stdin.end();
      await once(child, "exit");
      rmSync(data, { recursive: true });
    },
  };
}

async function ready(folder, port) {
  for (let tries = 0; tries < 200; tries += 1) {
    const args = ["-h", "127.0.0.1", "-U", "postgres", "-p", String(port), "-q"];
    if (spawnSync(join(folder, "pg_isready"), args).status === 0) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error("PostgreSQL did not start within 10 s");
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
