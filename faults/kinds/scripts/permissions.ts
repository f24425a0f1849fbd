import type { Valkey } from "iovalkey";
import { agent, connect, type Entities, LatchkeyError, NotExecutedError } from "latchkey";
import { scripts } from "latchkey/lua";
import { type Arena, type Details, type Fault, Violation } from "../../fault.js";

const USER = "faults-restricted";
const PASSWORD = "only-for-this-server";
const NAMESPACE = "faults-permissions";

/** Returns the commands inside the scripts. Each one is checked against the caller's own permissions. */
function innerCommands(): string[] {
  const names = Object.values(scripts).flatMap(({ text }) =>
    [...text.matchAll(/\bcall\('([A-Z]+)'/g)].map(([, name = ""]) => name.toLowerCase()),
  );
  return [...new Set(names)].sort();
}

/** A named call. */
type Attempt = readonly [name: string, call: (entities: Entities, id: string) => Promise<unknown>];

const ATTEMPTS: readonly Attempt[] = [
  ["create", (entities, id) => entities.create(`${id}-new`, { taskId: "t" })],
  ["transition", (entities, id) => entities.transition(id, "running", { unset: ["taskId"] })],
  ["patch", (entities, id) => entities.patch(id, { set: { a: 1 }, unset: ["taskId"] })],
  ["remove", (entities, id) => entities.remove(id)],
];

/** Returns everything that the namespace holds, as text. */
async function everything(admin: Valkey): Promise<string> {
  const keys = (await admin.keys(`{${NAMESPACE}*`)).sort();
  const dumps = await Promise.all(keys.map((key) => admin.dumpBuffer(key)));
  return keys.map((key, i) => `${key} ${dumps[i]?.toString("base64")}`).join("\n");
}

/** Revokes each permission of a user in turn. Calls that need it must fail as not executed, and write nothing. */
const permissionsRevoked: Fault = {
  name: "F20 each permission revoked",
  topologies: ["standalone", "sentinel"],
  loses: false,
  async inject(arena): Promise<Details> {
    const { admin, port } = await arena.primary();
    const url = `valkey://127.0.0.1:${port}`;
    const owner = await connect({ url, namespace: NAMESPACE });
    try {
      await admin.call("ACL", "SETUSER", USER, "on", `>${PASSWORD}`, "~*", "&*", "+@all");
      const all = await owner.machine(agent());
      const restricted = await connect({ url, namespace: NAMESPACE, username: USER, password: PASSWORD });
      try {
        const entities = await restricted.installed("agent");
        if (entities === null) throw new Error("no machine is installed");
        return await revokeEach(arena, admin, all, entities);
      } finally {
        await restricted.close();
      }
    } finally {
      await owner.close();
      await admin.call("ACL", "DELUSER", USER);
      const keys = await admin.keys(`{${NAMESPACE}*`);
      if (keys.length > 0) await admin.del(...keys);
    }
  },
};

async function revokeEach(
  { random, withOverlap }: Arena,
  admin: Valkey,
  all: Entities,
  restricted: Entities,
): Promise<Details> {
  const permissions: [revoke: string, grant: string][] = innerCommands().map((name) => [
    `-${name}`,
    `+${name}`,
  ]);
  permissions.push(["resetchannels", "&*"], ["-evalsha", "+evalsha"]);
  let rejections = 0;
  const { overlap } = await withOverlap(20, async () => {
    for (const [i, [revoke, grant]] of permissions.entries()) {
      for (const [name, call] of ATTEMPTS) {
        const id = `${name}-${i}-${random.below(1_000_000)}`;
        await all.create(id, { taskId: "t" });
        await admin.call("ACL", "SETUSER", USER, revoke);
        const before = await everything(admin);
        const error = await call(restricted, id).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        const changed = (await everything(admin)) !== before;
        await admin.call("ACL", "SETUSER", USER, grant);
        if (error === undefined) continue; // this call does not need the permission
        rejections += 1;
        if (changed) throw new Violation(`${name} was rejected without ${grant}, but wrote something`);
        if (!(error instanceof NotExecutedError)) {
          const kind = error instanceof LatchkeyError ? error.code : String(error);
          throw new Violation(`${name} without ${grant} failed with ${kind} instead of NotExecutedError`);
        }
      }
    }
  });
  if (rejections < permissions.length)
    throw new Violation(`only ${rejections} calls were rejected, with ${permissions.length} permissions`);
  return { permissions: permissions.length, rejections, overlap };
}

/** Lists the faults of missing permissions. */
export const permissionFaults: readonly Fault[] = [permissionsRevoked];
