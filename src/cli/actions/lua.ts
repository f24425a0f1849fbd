import { fileURLToPath } from "node:url";
import type { Valkey } from "iovalkey";
import { LIBRARY } from "../../doctor/checks/scripts.js";
import { library, manifest, type Operation, scripts } from "../../lua/index.js";
import { didYouMean } from "../../machine/suggest.js";
import { ask, runQuestion } from "../../valkey/ask.js";
import { Deadline } from "../../valkey/deadline.js";
import { usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { asJson, writeResult } from "../output/documents.js";
import { type Column, tableText } from "../output/table.js";
import { packageFile } from "../package-file.js";
import { withPermissions } from "../permission-hint.js";
import { withConnection } from "../session.js";

/** The operations that have a script. */
export const OPERATIONS = Object.keys(scripts) as readonly Operation[];

/** Lists the scripts with their arguments. */
export async function listScripts(context: CliContext, { format }: Settings): Promise<void> {
  const columns: readonly Column<Operation>[] = [
    { title: "OPERATION", value: (operation) => operation },
    { title: "SHA1", value: (operation) => scripts[operation].sha1 },
    { title: "KEYS", value: (operation) => manifest.operations[operation].keys.join(",") },
    { title: "ARGV", value: argumentsOf },
  ];
  await writeResult(context, format, asJson(manifest.operations), tableText(columns, OPERATIONS));
}

function argumentsOf(operation: Operation): string {
  const { args, options } = manifest.operations[operation];
  return [...args, ...options.map((option) => `[${option}]`)].join(" ");
}

/** Prints the text of a script as it is hashed: without a final newline. */
export async function showScript(context: CliContext, operation: string): Promise<void> {
  await context.write(scripts[checkedOperation(operation)].text);
}

/** Prints the SHA-1 of a script. */
export async function showSha(context: CliContext, operation: string): Promise<void> {
  await context.write(`${scripts[checkedOperation(operation)].sha1}\n`);
}

/** Prints the folder of the built scripts. */
export async function showPath(context: CliContext): Promise<void> {
  await context.write(`${fileURLToPath(packageFile("dist/lua"))}\n`);
}

function checkedOperation(name: string): Operation {
  const operation = OPERATIONS.find((one) => one === name);
  if (operation !== undefined) return operation;
  const hint = didYouMean(name, OPERATIONS) || `; use ${OPERATIONS.join(", ")}`;
  throw usageError(`unknown operation "${name}"${hint}`);
}

interface ScriptStatus {
  readonly script: string;
  readonly sha1?: string;
  readonly known: boolean;
}

function statusOf(script: Operation, known: boolean): ScriptStatus {
  return { script, sha1: scripts[script].sha1, known };
}

const statusColumns: readonly Column<ScriptStatus>[] = [
  { title: "SCRIPT", value: ({ script }) => script },
  { title: "SHA1", value: ({ sha1 }) => sha1 },
  { title: "SERVER", value: ({ known }) => (known ? "loaded" : "not loaded") },
];

/** Loads every script, or the Function library in place of an older one. */
export async function loadScripts(
  context: CliContext,
  settings: Settings,
  { functions = false }: { readonly functions?: boolean },
): Promise<void> {
  const command = functions ? "function|load" : "script|load";
  const [loaded = []] = await askServers(settings, "lua load", [command], async (client) => {
    if (functions) {
      await client.call("FUNCTION", "LOAD", "REPLACE", library);
      return Object.values(manifest.operations).map(
        (one): ScriptStatus => ({ script: one.function, known: true }),
      );
    }
    await Promise.all(OPERATIONS.map((operation) => client.script("LOAD", scripts[operation].text)));
    return OPERATIONS.map((operation) => statusOf(operation, true));
  });
  const lines = loaded.map(({ script, sha1 = "" }) => `${script} loaded ${sha1}`.trimEnd());
  await writeResult(context, settings.format, asJson(loaded), `${lines.join("\n")}\n`);
}

/** Prints which scripts the server has in its cache, and if it has the Function library. */
export async function checkScripts(context: CliContext, settings: Settings): Promise<void> {
  const commands = ["function|list", "script|exists"];
  const [first = [], ...others] = await askServers(settings, "lua check", commands, async (client) => {
    const hashes = OPERATIONS.map((one) => scripts[one].sha1);
    const flags = (await client.script("EXISTS", ...hashes)) as number[];
    const libraries = (await client.call("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY)) as unknown[];
    return [
      ...OPERATIONS.map((script, at) => statusOf(script, flags[at] === 1)),
      { script: `${LIBRARY} (functions)`, known: libraries.length > 0 },
    ];
  });
  const status = first.map((one, at): ScriptStatus => {
    const known = one.known && others.every((other) => other[at]?.known);
    return { ...one, known };
  });
  await writeResult(context, settings.format, asJson(status), tableText(statusColumns, status));
}

/** Sends commands that the ACL lines of the doctor do not grant, to every server that holds keys. */
async function askServers<T>(
  settings: Settings,
  what: string,
  commands: readonly string[],
  question: (client: Valkey) => Promise<T>,
): Promise<T[]> {
  const rules = commands.map((command) => `+${command}`);
  return withConnection(settings, async (connection) => {
    const deadline = Deadline.in(connection.timeoutMs);
    const servers = await runQuestion(connection, what, () => connection.readyServers(deadline));
    return withPermissions(connection, rules, () =>
      Promise.all(servers.map((server) => ask(server, what, question, { deadline }))),
    );
  });
}
