import { ServerStartError } from "../../errors/server-start-error.js";
import type { Latchkey } from "../../latchkey.js";
import { agent } from "../../machine/agent.js";
import { type ResolvedServer, resolveEmbedded, resolveServer, startEmbedded } from "../../server/resolve.js";
import { CliError, usageError } from "../cli-error.js";
import type { DevFlags } from "../commands/dev.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { placeOptions } from "../output/next-steps.js";
import { withLatchkey } from "../session.js";
import { shellCommand } from "../shell-command.js";
import { thisProgram } from "../this-program.js";

/**
 * Keeps a server running until the user has had enough; where a running one is named, says so and starts nothing.
 *
 * @throws NoValkeyError where there is nothing to start, ServerStartError where it does not start, CliError where it
 * ends by itself.
 */
export async function dev(settings: Settings, flags: DevFlags, context: CliContext): Promise<void> {
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
    throw usageError(
      "--append-only needs a folder to keep the data in",
      "latchkey dev --data ./data --append-only",
    );
  }
  const wantsOwn = serverBin !== undefined || flags.port !== undefined || flags.data !== undefined;
  if (url !== undefined && wantsOwn) {
    throw usageError("--url names a running server, the other options start one; leave out one or the other");
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
    const apply = isInstalled ? [] : [command("apply", [], named)];
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
      // What a kept folder holds stays as it is.
      if ((await latchkey.definition("agent")) === null) await latchkey.apply(agent());
      return toTry(latchkey, own, []);
    });
    const what = found.kind === "program" ? `${found.program.product} ${found.program.version}` : found.image;
    const kept =
      data === undefined
        ? "In memory: everything is lost on Ctrl-C."
        : `Kept in ${data}, append-only: start again with --data ${data}.`;
    await context.write(
      `${context.paint.bold(server.url)}  (${what})\n${kept}\n${lines}Ctrl-C stops the server.\n`,
    );
    await Promise.race([server.ended, aborted(signal)]);
    if (!signal.aborted) throw new CliError("SERVER_ENDED", "the server has ended by itself");
  } finally {
    clearInterval(alive);
    await server.stop();
  }
}

/** Where the port is in use, the server's own lines add nothing to that. */
function withoutLog(error: unknown): unknown {
  if (!(error instanceof ServerStartError && error.portInUse)) return error;
  return new CliError(error.code, error.message.split("\n", 1).join(), {}, error);
}

/** The settings for a server that was found or started here, so that commands to paste lead there. */
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

/** Commands to try, as they can be pasted; with the id of an agent that is not there yet. */
async function toTry(latchkey: Latchkey, settings: Settings, before: readonly string[]): Promise<string> {
  const agents = await latchkey.installed("agent");
  let number = 1;
  while ((await agents?.get(`a${number}`)) != null) number += 1;
  const id = `a${number}`;
  const lines = [
    ...before,
    command("create", [id, "--set", `taskId=t${number}`], settings),
    command("transition", [id, "running"], settings),
    command("get", [id], settings),
  ];
  return `Try:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

function command(verb: string, words: readonly string[], settings: Settings): string {
  const typed = shellCommand(verb, [], [...words, ...placeOptions(settings)]);
  return typed.replace(/^latchkey/, thisProgram());
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
