import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { ServerStartError } from "../errors/server-start-error.js";
import { clearTimeout, setTimeout } from "../valkey/real-time.js";

const READY = /Ready to accept connections/;
const PORT_IN_USE = /Address already in use|port is already allocated/;
const LINES_KEPT = 15;
const READY_MS = 60_000;

/**
 * Waits until the server prints that it accepts connections, and returns its pid. Reads all its output, so that the server
 * never blocks on a full pipe.
 *
 * @throws ServerStartError when the server cannot be started, ends first, or says nothing for a minute.
 */
export function whenReady(child: ChildProcess, bin: string, port: number): Promise<number> {
  const lines: string[] = [];
  return new Promise((resolve, reject) => {
    const fail = (what: string, portInUse = false) => {
      clearTimeout(timeout);
      const text = [what, ...lines.map((line) => `  | ${line}`)].join("\n");
      reject(new ServerStartError(text, { portInUse }));
    };
    const timeout = setTimeout(
      () => fail(`${bin} was not ready after ${READY_MS / 1000} seconds.`),
      READY_MS,
    );
    const keep = (line: string) => {
      if (READY.test(line) && child.pid !== undefined) {
        clearTimeout(timeout);
        resolve(child.pid);
      }
      lines.push(withoutSecrets(line));
      if (lines.length > LINES_KEPT) lines.shift();
    };
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on("line", keep);
    }
    child.once("error", (cause) => fail(`${bin} could not be started: ${cause.message}`));
    // "close" comes after the last line of output, "exit" may come before it.
    child.once("close", (status, signal) => {
      if (lines.some((line) => PORT_IN_USE.test(line))) {
        fail(`Port ${port} is in use by another program. Choose another port, or none for a free one.`, true);
      } else fail(`${bin} ended before it was ready (${signal ?? `exit code ${status}`}):`);
    });
  });
}

/** Removes passwords: the server prints an invalid setting with its value. */
function withoutSecrets(line: string): string {
  return line.replace(/^(>>> '\S*(?:pass|auth|user)\S*).*$/, "$1 ***'");
}
