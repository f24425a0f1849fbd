import { type Command, Option } from "commander";
import { ROLES } from "../../doctor/permissions/role-names.js";
import type { CliContext } from "../context.js";
import { listener } from "../input/action.js";
import { withExamples, withFormats } from "../input/formats.js";
import { collectList } from "../input/option-values.js";

/** Adds `latchkey acl`. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("acl")
    .summary("print the ACL SETUSER line of a user")
    .description(
      "Prints the ACL SETUSER line of a user with exactly the permissions of its role in this namespace, for the scripts " +
        "of this version. Connects to no server. With -m, the user is limited to one machine.",
    )
    .addOption(
      new Option("--role <role>", "role of the user; repeatable").choices(ROLES).argParser(collectList),
    )
    .option("--user <name>", "name of the user (default: the namespace and the role)")
    .option("--add", "add the permissions to an existing user, for a rolling update to this version")
    .option("--functions", "for clients that call the function library by FCALL instead of the scripts")
    .option("--fsync", "for durability on disk; includes CONFIG GET, which exposes passwords")
    .option("--cluster", "for a cluster; not needed with a valkey+cluster:// URL")
    .action(listener(context, async () => (await import("../actions/acl.js")).printAcl));
  withFormats(command, "table", "json");
  withExamples(
    command,
    "latchkey acl --role writer",
    "latchkey acl --role writer --role reactor --user orchestrator",
    "latchkey acl --role reactor -m agent -o json",
  );
}
