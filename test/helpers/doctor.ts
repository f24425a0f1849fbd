import { Valkey } from "iovalkey";
import { onTestFinished } from "vitest";
import type { CheckResult } from "../../src/doctor/check-result.js";
import { DoctorContext } from "../../src/doctor/context.js";
import { examine } from "../../src/doctor/examine.js";
import { allRules } from "../../src/doctor/permissions/acl.js";
import type { Role } from "../../src/doctor/permissions/role-names.js";
import { type ServerOptions, startValkey, type TestServer } from "../../src/testing/index.js";
import type { Connection } from "../../src/valkey/connection.js";
import type { ConnectionOptions } from "../../src/valkey/connection-options.js";
import { type OpenOptions, openConnection } from "../../src/valkey/open-connection.js";
import { hasWaitaof } from "./server-program.js";
import { freshNamespace, useValkey } from "./valkey.js";

/** Holds the user and the namespace for an examination. */
export interface Visit extends ConnectionOptions {
  readonly namespace?: string;
  readonly now?: () => number;
}

/** Starts a server for one test and connects with all permissions. */
export async function ownServer(options: ServerOptions = {}): Promise<{ server: TestServer; admin: Valkey }> {
  const server = await startValkey(options);
  onTestFinished(() => server.stop());
  return { server, admin: await adminOf(server) };
}

/** Connects with all permissions and without retries. */
export async function adminOf(
  { host, port }: Pick<TestServer, "host" | "port">,
  user: { readonly username?: string; readonly password?: string } = {},
): Promise<Valkey> {
  const admin = new Valkey({ host, port, ...user, lazyConnect: true, maxRetriesPerRequest: 0 });
  admin.on("error", () => {}); // a call in flight fails by itself
  onTestFinished(() => admin.disconnect());
  await admin.connect();
  return admin;
}

/**
 * Starts a server with a password, and ends it with the test. The password is set afterwards, because Valkey 8.1.1 takes no
 * argument with a quotation mark.
 */
export async function startWithPassword(password: string, args: readonly string[] = []): Promise<TestServer> {
  const server = await startValkey({ args });
  onTestFinished(() => server.stop());
  await (await adminOf(server)).config("SET", "requirepass", password);
  return server;
}

/** Opens a connection as latchkey does, and closes it with the test. */
export async function connected(options: OpenOptions): Promise<Connection> {
  const connection = await openConnection(options);
  onTestFinished(() => connection.close());
  return connection;
}

/** Returns all results in their order. */
export async function results({
  namespace = freshNamespace(),
  now,
  ...options
}: Visit): Promise<CheckResult[]> {
  const connection = await connected({ ...options, namespace, isPartial: true });
  return examine(new DoctorContext(connection, { namespace, machine: "agent" }, now));
}

/** Returns one result. @throws Error if there is none with that id */
export async function result(id: string, visit: Visit): Promise<CheckResult> {
  const all = await results(visit);
  const match = all.find((one) => one.id === id);
  if (match === undefined) throw new Error(`No ${id} among ${all.map((one) => one.id).join(", ")}`);
  return match;
}

/** Redis before 7.2 rejects a user with the unknown command. */
const isKnown = (rule: string): boolean => hasWaitaof || rule !== "+waitaof";

/** Creates a user with these rules and returns its credentials. */
export async function user(server: TestServer, ...rules: string[]) {
  const admin = await adminOf(server);
  const [username, namespace] = [freshNamespace(), freshNamespace()];
  await admin.call(
    "ACL",
    "SETUSER",
    username,
    "reset",
    "on",
    ">sesame",
    ...rules.filter(isKnown).map((rule) => rule.replaceAll("NS", namespace)),
  );
  return { admin, namespace, username, password: "sesame", url: server.url };
}

/** Creates a user with the rules of a role, and more. */
export async function userOf(role: Role, ...more: string[]) {
  return user(await useValkey(), ...allRules({ roles: [role], namespace: "NS" }), ...more);
}
