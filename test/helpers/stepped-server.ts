import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { Valkey } from "iovalkey";
import { onTestFinished } from "vitest";
import { PreloadPage } from "../../faults/servers/preload-page.js";
import { freshFolder } from "./folder.js";

/** A server whose wall clock a test can set. */
export interface SteppedServer {
  readonly valkey: Valkey;
  /** Moves the clock by some ms; a negative number sets it back. */
  step(ms: number): Promise<void>;
}

/** Starts a server of its own until the test has finished; undefined if its clock cannot be set here. */
export async function steppedServer(): Promise<SteppedServer | undefined> {
  const folder = await freshFolder();
  const page = await PreloadPage.make(join(folder, "page"), folder);
  if (page.env.LD_PRELOAD === undefined) return undefined;
  const path = join(folder, "socket");
  const args = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", folder];
  const program = process.env.LATCHKEY_VALKEY_BIN || "valkey-server";
  const server = spawn(program, args, { stdio: "ignore", env: { ...process.env, ...page.env } });
  const end = once(server, "exit");
  const valkey = new Valkey({ path, retryStrategy: () => 50 });
  valkey.on("error", () => {}); // until it listens
  onTestFinished(async () => {
    valkey.disconnect();
    server.kill();
    await end;
  });
  await valkey.ping();
  let offset = 0;
  return {
    valkey,
    step: (ms) => {
      offset += ms;
      return page.setClock(offset);
    },
  };
}
