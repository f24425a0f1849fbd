import { delimiter, join } from "node:path";
import { expect } from "vitest";
import { tryRun } from "./run.js";
import { freshNamespace, useValkey } from "./valkey.js";

/** Limit of a command in ms, for hung ones. */
export const LIMIT_MS = 1_800_000;

/** Variables of this test run, which the programs of a project would take for their own. */
const OWN = /^(npm_|INIT_CWD$|VITEST|TEST$|NODE_ENV$|NODE_OPTIONS$|TINYPOOL)/i;

/** Folder of a project with another Node, if it has one. Its programs then run in that. */
const OTHER_NODE = "node_modules/other-node/bin";

/**
 * Runs a command in a project, as its developer does, with a server in VALKEY_URL and a fresh namespace in NAMESPACE. The
 * command must succeed; the message of the failure is what it printed.
 *
 * @returns its standard output
 */
export async function succeeds(cwd: string, program: string, ...args: string[]): Promise<string> {
  const { url } = await useValkey();
  const inherited = Object.entries(process.env).filter(([name]) => !OWN.test(name));
  const env = {
    ...Object.fromEntries(inherited),
    ...{ PATH: `${join(cwd, OTHER_NODE)}${delimiter}${process.env.PATH ?? ""}` },
    ...{ VALKEY_URL: url, NAMESPACE: freshNamespace() },
  };
  const { exit, stdout, stderr } = await tryRun(program, args, { cwd, env, timeout: LIMIT_MS });
  expect(exit, `${program} ${args.join(" ")}:\n${stdout}${stderr}`).toBe(0);
  return stdout;
}
