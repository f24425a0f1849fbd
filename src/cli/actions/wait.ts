import type { Snapshot } from "../../contract/document.js";
import { WaitError } from "../../errors/wait-error.js";
import { durationText } from "../../machine/duration.js";
import { addressText } from "../../valkey/address.js";
import { DEFAULT_CONNECT_MS } from "../../valkey/connection-options.js";
import { LONGEST_TIMER_MS } from "../../valkey/deadline.js";
import { entityKey } from "../../valkey/keys.js";
import { parseAddress } from "../../valkey/server-url.js";
import { DEFAULT_WAIT_MS } from "../../waits/wait-for.js";
import { CliError, usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import type { Settings } from "../input/settings.js";
import { stored, writeResult } from "../output/documents.js";
import { watchServer } from "../server-watch.js";
import { withEntities } from "../session.js";
import { commandFor } from "../shell-command.js";

/** Time in ms by which connecting may take longer than the wait, so that the wait ends first. */
const SPARE_MS = 100;

/**
 * Waits until an entity is in one of the states, and prints it.
 *
 * @throws CliError TIMEDOUT, NOTFOUND or FINAL if it does not enter one of them.
 */
export async function waitForEntity(
  context: CliContext,
  settings: Settings,
  id: string,
  lists: readonly string[],
): Promise<void> {
  const { timeoutMs: limitMs = DEFAULT_WAIT_MS, ...others } = settings;
  const isTyped = settings.given.timeout !== undefined;
  const timeoutMs = isTyped ? limitMs : DEFAULT_WAIT_MS;
  const calls: Settings = isTyped ? others : settings; // the typed limit is that of the whole wait
  const states = lists.flatMap((list) => list.split(",").filter((state) => state !== ""));
  if (states.length === 0) throw usageError("give at least one state to wait for");
  const signal = context.interruption();
  const endsAt = performance.now() + timeoutMs;
  /** @param why why the server does not reply; undefined if it does */
  const timedOut = (current: Snapshot | null, why?: string): CliError => {
    const state =
      current === null ? "its state is unknown" : `it ${why ? "was" : "is still"} ${current.state}`;
    const text = `${settings.machine} ${id} was not ${states.join(" or ")} within ${durationText(timeoutMs)}; ${state}`;
    if (why === undefined) return failure(settings, id, "TIMEDOUT", text, current);
    const facts = { machine: settings.machine, id, current };
    return new CliError("TIMEDOUT", `${text}; ${why}`, { hint: commandFor(settings, "doctor"), facts });
  };
  const fail = (error: unknown): never => {
    if (!(error instanceof WaitError)) throw error;
    const { code, message, current, cause } = error;
    throw code === "TIMEDOUT"
      ? timedOut(current, cause?.message)
      : failure(settings, id, code, message, current, error);
  };
  let timer: NodeJS.Timeout | undefined;
  let isLate = false;
  const late = new Promise<never>((_, reject) => {
    const end = (): void => {
      isLate = true;
      reject(timedOut(null, `no reply in time from ${addressText(parseAddress(settings.url))}`));
    };
    timer = setTimeout(end, Math.min(timeoutMs, LONGEST_TIMER_MS));
  });
  const waited = withEntities(
    calls,
    async (entities, { connection, location }) => {
      clearTimeout(timer);
      if (isLate) return;
      const timeout = Math.max(1, Math.round(endsAt - performance.now()));
      const end = new AbortController();
      void watchServer(connection.of(entityKey(location, id)), end.signal, (line) => context.note(line));
      const entity = await entities
        .waitFor(id, states, { timeout, signal })
        .catch(fail)
        .finally(() => end.abort());
      const text = `${entity.machine}/${id} is ${entity.state} (version ${entity.version})\n`;
      await writeResult(context, settings.format, stored(entity), text);
    },
    { signal, connectTimeoutMs: Math.min(timeoutMs + SPARE_MS, calls.timeoutMs ?? DEFAULT_CONNECT_MS) },
  );
  try {
    await Promise.race([waited, late]);
  } finally {
    clearTimeout(timer);
  }
}

function failure(
  settings: Settings,
  id: string,
  code: string,
  message: string,
  current: Snapshot | null,
  cause?: unknown,
): CliError {
  const hint = code === "NOTFOUND" ? commandFor(settings, "list") : commandFor(settings, "get", [id]);
  return new CliError(code, message, { hint, facts: { machine: settings.machine, id, current } }, cause);
}
