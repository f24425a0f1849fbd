import { randomBytes } from "node:crypto";
import { startValkey, type TestServer } from "../../src/testing/index.js";
import { atFileEnd } from "./file-end.js";

let server: Promise<TestServer> | undefined;

/** The server of this test file: started at the first call, ended with the file. */
export function useValkey(): Promise<TestServer> {
  if (server === undefined) {
    const started = startValkey();
    server = started;
    atFileEnd(async () => {
      server = undefined;
      await (await started).stop();
    });
  }
  return server;
}

/** A namespace that nothing else uses, so that tests share a server without seeing each other. */
export function freshNamespace(): string {
  return `t-${randomBytes(8).toString("hex")}`;
}
