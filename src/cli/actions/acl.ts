import { type AclUser, userLine } from "../../doctor/permissions/acl.js";
import { ROLES, type Role } from "../../doctor/permissions/role-names.js";
import { hasFunctions } from "../../doctor/permissions/roles.js";
import { didYouMean } from "../../machine/suggest.js";
import { parseAddress } from "../../valkey/server-url.js";
import { CliError, usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { asJson, writeResult } from "../output/documents.js";
import { checkedNames, connectionOptions } from "../session.js";
import { commandFor } from "../shell-command.js";

/** Options of `acl`. */
export interface AclFlags {
  readonly role?: readonly string[];
  readonly user?: string;
  readonly add?: boolean;
  readonly functions?: boolean;
  readonly fsync?: boolean;
  readonly cluster?: boolean;
}

const ROLE_LINES: Readonly<Record<Role, string>> = {
  writer: "installs machines, changes entities and fires timers",
  reader: "reads entities, events, statistics and dead letters, as all roles do",
  operator: "runs every command except restore and import",
  reactor: "handles events of reactions; changes no entity",
  restorer: "restores and imports entities",
};

/**
 * Prints the line that creates a user with the permissions of some roles. Connects to no server.
 *
 * @throws CliError USAGE if no role is named, or a name is invalid
 */
export async function printAcl(context: CliContext, settings: Settings, flags: AclFlags): Promise<void> {
  const { namespace } = await checkedNames(settings);
  const { machine } = settings.given;
  const roles = checkedRoles(settings, flags);
  const { url } = await connectionOptions(settings);
  const { database, cluster } = parseAddress(url);
  const user: AclUser = {
    namespace,
    ...(machine !== undefined && { machine }),
    roles,
    ...(flags.user !== undefined && { name: checkedUser(flags.user) }),
    add: flags.add === true,
    functions: flags.functions === true,
    fsync: flags.fsync === true,
    cluster: flags.cluster === true || cluster !== undefined,
    database: database !== 0,
  };
  const line = userLine(user);
  await writeResult(context, settings.format, asJson({ ...user, line }), `${line}\n`);
  if (settings.format !== "table") return;
  const first = user.add === true ? "" : "replace >PASSWORD with > and the password; ";
  context.note(`${first}run the line on every server, because Valkey does not replicate users`);
}

function checkedRoles(settings: Settings, { role: names = [], functions }: AclFlags): readonly Role[] {
  if (names.length === 0) {
    const lines = ["roles:", ...ROLES.map((role) => `  ${role.padEnd(10)}${ROLE_LINES[role]}`)];
    const hint = commandFor(settings, "acl", [], ["--role", "writer"]);
    throw new CliError("USAGE", "acl needs a role", { lines, hint });
  }
  const roles = [...new Set(names)].map((name) => {
    const role = ROLES.find((one) => one === name);
    if (role === undefined)
      throw usageError(`unknown role "${name}"${didYouMean(name, ROLES) || `; use ${ROLES.join(", ")}`}`);
    return role;
  });
  const scriptsOnly = functions === true ? roles.find((role) => !hasFunctions(role)) : undefined;
  if (scriptsOnly !== undefined)
    throw usageError(
      `the function library does not have the scripts of the role ${scriptsOnly}; omit --functions`,
    );
  return roles;
}

/** Returns the name of a user. A blank would end it. */
function checkedUser(name: string): string {
  if (/^[^\s"'\\]+$/.test(name)) return name;
  throw usageError("--user must be a name without blanks, quotes and backslashes");
}
