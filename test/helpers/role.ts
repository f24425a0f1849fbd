import type { Valkey } from "iovalkey";
import { expect, onTestFinished } from "vitest";
import { commandsIn } from "../../src/doctor/permissions/commands.js";
import { commandsOf } from "../../src/doctor/permissions/roles.js";
import { connect, type Latchkey } from "../../src/index.js";
import { type Script, scripts } from "../../src/lua/index.js";
import { maintenanceScripts } from "../../src/lua/maintenance.js";
import { reactionScripts } from "../../src/lua/reactions.js";
import type { ServerOptions, TestServer } from "../../src/testing/index.js";
import { root } from "./built.js";
import { ownServer } from "./doctor.js";
import { type Ended, tryRun } from "./run.js";

/** All scripts of this version. */
export const ALL_SCRIPTS: readonly Script[] = [
  ...Object.values(scripts),
  ...Object.values(reactionScripts),
  ...Object.values(maintenanceScripts),
];

/** Commands of the tests themselves. */
const OF_TESTS = ["acl|setuser", "config|resetstat", "ping", "script|flush"];

/** A server of its own, and a user of it with the permissions of a role in the namespace `here`. */
export interface RoleUser {
  readonly server: TestServer;
  readonly admin: Valkey;
  readonly username: string;
  /** Everything that the user may do, as the printed line says it. */
  readonly line: string;
  /** Connects as the user. */
  connect(namespace?: string): Promise<Latchkey>;
  /** Runs the command line as the user. */
  run(words: string, env?: NodeJS.ProcessEnv): Promise<Ended>;
  /** Does some work, during which only the user sends commands, and notes those. */
  watch<T>(work: () => Promise<T>): Promise<T>;
  /** Returns the commands that the user's work needed. */
  commands(): string[];
  /** Checks that the user's work needed all commands and all scripts that it may call, and no others. */
  expectExact(unused?: readonly string[]): Promise<void>;
}

/** Starts a server and creates a user by the line that `latchkey acl` prints with these words. */
export async function roleUser(words: string, options: ServerOptions = {}): Promise<RoleUser> {
  const { server, admin } = await ownServer(options);
  const env = { PATH: process.env.PATH, LATCHKEY_NAMESPACE: "here", LATCHKEY_URL: server.url };
  const latchkey = (line: string, more: NodeJS.ProcessEnv = {}): Promise<Ended> =>
    tryRun(process.execPath, ["bin/latchkey.js", ...line.split(" ")], {
      cwd: root,
      env: { ...env, ...more },
    });
  const printed = await latchkey(`acl --role ${words} -o json`);
  const { line } = JSON.parse(printed.stdout) as { line: string };
  const [, username = ""] = /^ACL SETUSER (\S+) /.exec(line) ?? [];
  await admin.call(...(line.split(" ") as [string, ...string[]]));
  const credentials = { username, password: "PASSWORD" };
  const called = new Set<string>();
  return {
    server,
    admin,
    username,
    line,
    connect: async (namespace = "here") => {
      const client = await connect({ url: server.url, namespace, ...credentials });
      onTestFinished(() => client.close());
      return client;
    },
    run: (sentence, more = {}) => {
      const url = server.url.replace("://", `://${username}@`);
      return latchkey(sentence, { LATCHKEY_URL: url, LATCHKEY_PASSWORD: "PASSWORD", ...more });
    },
    watch: async (work) => {
      await admin.config("RESETSTAT");
      const result = await work();
      for (const name of await commandsSince(admin)) called.add(name);
      return result;
    },
    commands: () => [...called],
    expectExact: async (unused = []) => expectExact(admin, line, [...called], unused),
  };
}

/** Returns the commands that the server has executed since `CONFIG RESETSTAT`. */
export async function commandsSince(admin: Valkey): Promise<string[]> {
  const stats = await admin.info("commandstats");
  return [...stats.matchAll(/^cmdstat_([^:]+):calls=[1-9]/gm)].map(([, name = ""]) => name);
}

/** A command that a line grants; for calls of scripts and functions only with this first argument. */
export interface Granted {
  readonly name: string;
  readonly first?: string;
}

/** Returns the commands that an ACL SETUSER line grants. */
export function grantedBy(line: string): readonly Granted[] {
  return [...line.matchAll(/\+([a-z_|0-9]+)/g)].map(([, command = ""]) => {
    const [, name, first] = /^((?:evalsha|fcall)(?:_ro)?)\|(.+)$/.exec(command) ?? [];
    return name === undefined || first === undefined ? { name: command } : { name, first };
  });
}

async function expectExact(
  admin: Valkey,
  line: string,
  called: readonly string[],
  unused: readonly string[],
): Promise<void> {
  const isReader = line.startsWith("ACL SETUSER here-reader ");
  const granted = grantedBy(line);
  const names = new Set(granted.map(({ name }) => name));
  const free = await freeCommands(admin);
  expect(
    called.filter((name) => !names.has(name) && !free.includes(name) && !OF_TESTS.includes(name)),
  ).toEqual([]);
  const permitted = ALL_SCRIPTS.filter((script) => granted.some(({ first }) => first === script.sha1));
  const flags = (await admin.script("EXISTS", ...ALL_SCRIPTS.map(({ sha1 }) => sha1))) as number[];
  expect(ALL_SCRIPTS.filter((_, at) => flags[at] === 1).map(title)).toEqual(permitted.map(title));
  const inScripts = permitted.flatMap(commandsIn);
  // A role that reads needs what a reader needs, as the test of the reader shows.
  const reads = isReader ? [] : commandsOf("reader");
  const needed = [...inScripts, ...called, ...reads];
  const idle = [...names].filter((name) => !needed.includes(name));
  expect(idle.filter((name) => !unused.includes(name))).toEqual([]);
}

/** The first words of a script, which name it. */
function title({ text }: Script): string {
  return /^-- ([a-z]+): /m.exec(text)?.[1] ?? text;
}

/** Returns the commands that every user may send. */
export async function freeCommands(admin: Valkey): Promise<string[]> {
  return (await serverCommands(admin)).filter(({ isFree }) => isFree).map(({ name }) => name);
}

/** A command of the server. */
export interface ServerCommand {
  readonly name: string;
  readonly words: readonly string[];
  /** True for commands that need no permission. */
  readonly isFree: boolean;
}

/** Returns all commands of the server, each with words that a call of it may have. */
export async function serverCommands(admin: Valkey): Promise<ServerCommand[]> {
  type Row = [name: string, arity: number, flags: string[], ...others: unknown[]];
  const rows = (await admin.call("COMMAND")) as Row[];
  const all = rows.flatMap((row) => {
    const inner = row[9] as Row[] | undefined;
    return inner === undefined || inner.length === 0 ? [row] : inner;
  });
  return all.map(([name, arity, flags]) => {
    const start = name.split("|");
    const rest = Array.from({ length: Math.max(0, Math.abs(arity) - start.length) }, () => "1");
    return { name, words: [...start, ...rest], isFree: flags.includes("no_auth") };
  });
}
