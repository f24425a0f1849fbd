import type { Valkey } from "iovalkey";
import { NotExecutedError } from "../../errors/outcome-errors.js";
import { library, manifest, type Operation, scripts } from "../../lua/index.js";
import { ask } from "../../valkey/ask.js";
import type { Connection } from "../../valkey/connection.js";
import { CliError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { tableText } from "../output/table.js";
import { withConnection } from "../session.js";
import { OPERATIONS } from "./lua-scripts.js";

const LIBRARY = manifest.library.replace(/\.lua$/, "");

interface Known {
  readonly script: string;
  readonly sha1?: string;
  readonly known: boolean;
}

const columns = [
  { title: "SCRIPT", value: ({ script }: Known) => script },
  { title: "SHA1", value: ({ sha1 }: Known) => sha1 },
  { title: "SERVER", value: ({ known }: Known) => (known ? "known" : "unknown") },
];

/** Loads every script, or the Function library, which replaces the one that is there. */
export async function loadScripts(
  context: CliContext,
  settings: Settings,
  asFunctions: boolean,
): Promise<void> {
  const loaded = await withConnection(settings, (connection) =>
    asked(connection, "lua load", asFunctions ? ["function|load"] : ["script|load"], (client) =>
      asFunctions ? loadLibrary(client) : loadAll(client),
    ),
  );
  const lines = loaded.map(({ script, sha1 = "" }) => `${script} loaded ${sha1}`.trimEnd());
  await context.write(settings.format === "json" ? `${JSON.stringify(loaded)}\n` : `${lines.join("\n")}\n`);
}

/** Says which scripts the server has in its cache, and whether it has the Function library. */
export async function checkScripts(context: CliContext, settings: Settings): Promise<void> {
  const found = await withConnection(settings, (connection) =>
    asked(connection, "lua check", ["function|list", "script|exists"], async (client) => {
      const flags = (await client.script(
        "EXISTS",
        ...OPERATIONS.map((one) => scripts[one].sha1),
      )) as number[];
      const libraries = (await client.call("FUNCTION", "LIST", "LIBRARYNAME", LIBRARY)) as unknown[];
      return [
        ...OPERATIONS.map((script, at) => entry(script, flags[at] === 1)),
        { script: `${LIBRARY} (functions)`, known: libraries.length > 0 },
      ];
    }),
  );
  await context.write(settings.format === "json" ? `${JSON.stringify(found)}\n` : tableText(columns, found));
}

/** Asks what no line of the doctor's users allows, and names all that it needs where it is denied. */
async function asked<T>(
  connection: Connection,
  what: string,
  commands: readonly string[],
  question: (client: Valkey) => Promise<T>,
): Promise<T> {
  try {
    return await ask(connection, what, question);
  } catch (error) {
    if (!(error instanceof NotExecutedError && error.reply === "NOPERM")) throw error;
    const user = connection.client.options.username ?? "default";
    const hint = ["ACL SETUSER", user, ...commands.map((command) => `+${command}`)].join(" ");
    throw new CliError(error.code, error.message, { hint }, error);
  }
}

async function loadAll(client: Valkey): Promise<Known[]> {
  await Promise.all(OPERATIONS.map((operation) => client.script("LOAD", scripts[operation].text)));
  return OPERATIONS.map((operation) => entry(operation, true));
}

async function loadLibrary(client: Valkey): Promise<Known[]> {
  await client.call("FUNCTION", "LOAD", "REPLACE", library);
  return Object.values(manifest.operations).map((operation) => ({ script: operation.function, known: true }));
}

function entry(script: Operation, known: boolean): Known {
  return { script, sha1: scripts[script].sha1, known };
}
