import { Valkey } from "iovalkey";
import { onTestFinished } from "vitest";
import { DoctorContext } from "../../src/doctor/context.js";
import { examine } from "../../src/doctor/examine.js";
import type { Finding } from "../../src/doctor/finding.js";
import { allRules, type Kind } from "../../src/doctor/rights/lines.js";
import { type ServerOptions, startValkey, type TestServer } from "../../src/testing/index.js";
import { type Connection, type ConnectionOptions, openConnection } from "../../src/valkey/connection.js";
import { freshNamespace, useValkey } from "./valkey.js";

/** Names the caller and the subject of an examination. */
export interface Visit extends ConnectionOptions {
  readonly namespace?: string;
  readonly now?: () => number;
}

/** A server of this test alone, and a connection that may do everything. */
export async function ownServer(options: ServerOptions = {}): Promise<{ server: TestServer; admin: Valkey }> {
  const server = await startValkey(options);
  onTestFinished(() => server.stop());
  return { server, admin: await adminOf(server) };
}

/** A connection that may do everything, and does not try again. */
export async function adminOf(
  { host, port }: TestServer,
  user: { readonly username?: string; readonly password?: string } = {},
): Promise<Valkey> {
  const admin = new Valkey({ host, port, ...user, lazyConnect: true, maxRetriesPerRequest: 0 });
  admin.on("error", () => {}); // a call in flight fails by itself
  onTestFinished(() => admin.disconnect());
  await admin.connect();
  return admin;
}

/** A connection as latchkey makes it, closed with the test. */
export async function connected(options: ConnectionOptions): Promise<Connection> {
  const connection = await openConnection(options);
  onTestFinished(() => connection.close());
  return connection;
}

/** All findings, in their order. */
export async function findings({ namespace = freshNamespace(), now, ...options }: Visit): Promise<Finding[]> {
  const connection = await connected(options);
  return examine(new DoctorContext(connection, { namespace, machine: "agent" }, now));
}

/** Returns one finding of an examination. @throws Error if it has none with that id */
export async function finding(id: string, visit: Visit): Promise<Finding> {
  const all = await findings(visit);
  const found = all.find((one) => one.id === id);
  if (found === undefined) throw new Error(`No ${id} among ${all.map((one) => one.id).join(", ")}`);
  return found;
}

/** A new user with these rules, and how to look as that user. */
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
    ...rules.map((rule) => rule.replaceAll("NS", namespace)),
  );
  return { admin, namespace, username, password: "sesame", url: server.url };
}

/** A new user as the doctor makes one, and more rules. */
export async function userOf(kind: Kind, ...more: string[]) {
  return user(await useValkey(), ...allRules(kind, "NS"), ...more);
}
