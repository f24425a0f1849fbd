import { once } from "node:events";
import { ServerStartError } from "../../errors/server-start-error.js";
import type { Latchkey } from "../../latchkey.js";
import { agent } from "../../machine/agent.js";
import { type ResolvedServer, resolveEmbedded, resolveServer, startEmbedded } from "../../server/resolve.js";
import { CliError, usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { withLatchkey } from "../session.js";
import { commandFor, thisProgram } from "../shell-command.js";

/** Options of `dev`. */
export interface DevFlags {
  readonly port?: number;
  readonly data?: string;
  readonly appendOnly?: boolean;
  readonly serverBin?: string;
}

/**
 * Starts a server and keeps it running until Ctrl-C. If a running server is named, starts none.
 *
 * @throws NoValkeyError if there is no server program, ServerStartError if it does not start, CliError if it ends by
 * itself.
 */
export async function runDev(context: CliContext, settings: Settings, flags: DevFlags): Promise<void> {
  const found = await resolve(settings, flags, context);
  if (found.kind === "url") await showNamed(found, settings, context);
  else await keepRunning(found, settings, flags, context);
}

async function resolve(
  { given: { url } }: Settings,
  { serverBin, ...flags }: DevFlags,
  { env }: CliContext,
): Promise<ResolvedServer> {
  if (flags.appendOnly === true && flags.data === undefined) {
    throw usageError("--append-only requires --data", `${thisProgram()} dev --data ./data --append-only`);
  }
  const wantsOwn = serverBin !== undefined || flags.port !== undefined || flags.data !== undefined;
  if (url !== undefined && wantsOwn) {
    throw usageError("--url cannot be combined with --port, --data or --server-bin, which start a server");
  }
  const bin = serverBin === undefined ? {} : { bin: serverBin };
  if (wantsOwn) return resolveEmbedded({ env, ...bin });
  return resolveServer({ env, ...(url !== undefined && { url }) });
}

async function showNamed(
  { url, namedBy }: ResolvedServer & { kind: "url" },
  settings: Settings,
  context: CliContext,
): Promise<void> {
  const named = pointedAt(settings, url);
  await withLatchkey(named, async (latchkey) => {
    const isInstalled = (await latchkey.definition("agent")) !== null;
    const apply = isInstalled ? [] : [commandFor(named, "apply")];
    await context.write(
      `${namedBy} names a running server: ${latchkey.address}. Nothing was started.\n` +
        `${await toTry(latchkey, named, apply)}`,
    );
  });
}

async function keepRunning(
  found: Exclude<ResolvedServer, { kind: "url" }>,
  settings: Settings,
  { port, data }: DevFlags,
  context: CliContext,
): Promise<void> {
  if (found.kind === "program" && found.program.notice !== undefined) context.note(found.program.notice);
  const signal = context.interruption();
  const server = await startEmbedded(found, {
    ...(port !== undefined && { port }),
    ...(data !== undefined && { dataDir: data, appendOnly: true }),
  }).catch((error: unknown) => {
    throw withoutLog(error);
  });
  // The server itself does not keep this process alive.
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    const own = pointedAt(settings, server.url);
    const lines = await withLatchkey(own, async (latchkey) => {
      // Data of an earlier run stays unchanged.
      if ((await latchkey.definition("agent")) === null) await latchkey.apply(agent());
      return toTry(latchkey, own, []);
    });
    const what = found.kind === "program" ? `${found.program.product} ${found.program.version}` : found.image;
    const kept =
      data === undefined
        ? "In memory: all data is lost on Ctrl-C."
        : `Data is kept in ${data} (append-only). To continue with it: --data ${data}`;
    await context.write(
      `${context.paint.bold(server.url)}  (${what})\n${kept}\n${lines}Ctrl-C stops the server.\n`,
    );
    if (!signal.aborted) await Promise.race([server.ended, once(signal, "abort")]);
    if (!signal.aborted) throw new CliError("SERVER_ENDED", "the server ended unexpectedly");
  } finally {
    clearInterval(alive);
    await server.stop();
  }
}

/** Removes the server's log from the error of a port in use, which needs no further explanation. */
function withoutLog(error: unknown): unknown {
  if (!(error instanceof ServerStartError && error.portInUse)) return error;
  return new CliError(error.code, error.message.split("\n", 1).join(), {}, error);
}

/** Returns settings for this server, so that commands to paste use it. */
function pointedAt(settings: Settings, url: string): Settings {
  const { given, machine } = settings;
  const isKnown = given.url === undefined && settings.url === url;
  return {
    ...settings,
    url,
    machine: "agent",
    given: { ...given, ...(!isKnown && { url }), ...(machine !== "agent" && { machine: "agent" }) },
  };
}

/** Lists commands to paste, with the id of an agent that does not exist yet. */
async function toTry(latchkey: Latchkey, settings: Settings, before: readonly string[]): Promise<string> {
  const agents = await latchkey.installed("agent");
  let number = 1;
  while ((await agents?.get(`a${number}`)) != null) number += 1;
  const id = `a${number}`;
  const lines = [
    ...before,
    commandFor(settings, "create", [id], ["--set", `taskId=t${number}`]),
    commandFor(settings, "transition", [id, "running"]),
    commandFor(settings, "get", [id]),
  ];
  return `Try:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
