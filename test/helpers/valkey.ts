import { randomBytes } from "node:crypto";
import { startValkey, type TestServer } from "../../src/testing/index.js";

let server: Promise<TestServer> | undefined;

/** The server of this test process: started at the first call, ended with the process. */
export function useValkey(): Promise<TestServer> {
  server ??= startValkey();
  return server;
}

/** A namespace that nothing else uses, so that tests share a server without seeing each other. */
export function freshNamespace(): string {
  return `t-${randomBytes(8).toString("hex")}`;
}
