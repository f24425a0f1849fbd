import { documentText, type Snapshot } from "../../contract/document.js";
import { WaitError } from "../../errors/wait-error.js";
import { DEFAULT_CONNECT_MS } from "../../valkey/connection-options.js";
import { LONGEST_TIMER_MS } from "../../valkey/deadline.js";
import { CliError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { isForPeople } from "../input/formats.js";
import type { Settings } from "../input/settings.js";
import { writeDocument } from "../output/documents.js";
import { placeOptions } from "../output/next-steps.js";
import { withEntities } from "../session.js";
import { shellCommand } from "../shell-command.js";

const DEFAULT_TIMEOUT_MS = 30_000;
/** By so much connecting may outlast the wait, so that it is the wait that ends. */
const SPARE_MS = 100;

/**
 * Waits until an entity is in one of the states, and shows it.
 *
 * @param timeoutMs how long, connecting included
 * @throws CliError where that does not come, with what programs need to go on beside the message.
 */
export async function waitForEntity(
  context: CliContext,
  settings: Settings,
  id: string,
  states: readonly string[],
  timeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<void> {
  const signal = context.interruption();
  const endsAt = performance.now() + timeoutMs;
  const timedOut = (current: Snapshot | null): CliError => {
    const now = current === null ? "nothing is known of it" : `it is ${current.state}`;
    const text = `${settings.machine} ${id} was not ${states.join(" or ")} within ${timeoutMs} ms; ${now}`;
    return failure(settings, id, "TIMEDOUT", text, current);
  };
  const told = (error: unknown): never => {
    if (!(error instanceof WaitError)) throw error;
    const { code, message, current } = error;
    throw code === "TIMEDOUT" ? timedOut(current) : failure(settings, id, code, message, current, error);
  };
  let timer: NodeJS.Timeout | undefined;
  let isLate = false;
  const late = new Promise<never>((_, reject) => {
    const end = (): void => {
      isLate = true;
      reject(timedOut(null));
    };
    timer = setTimeout(end, Math.min(timeoutMs, LONGEST_TIMER_MS));
  });
  const waited = withEntities(
    settings,
    async (entities) => {
      clearTimeout(timer);
      if (isLate) return;
      const timeout = Math.max(1, Math.round(endsAt - performance.now()));
      const entity = await entities.waitFor(id, states, { timeout, signal }).catch(told);
      const { machine, state, version } = entity;
      if (isForPeople(settings.format))
        await context.write(`${machine}/${id} is ${state} (version ${version})\n`);
      else await writeDocument(context, settings.format, { machine, id, text: documentText(entity) });
    },
    { signal, connectTimeoutMs: Math.min(timeoutMs + SPARE_MS, DEFAULT_CONNECT_MS) },
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
  const options = placeOptions(settings);
  return new CliError(
    code,
    message,
    {
      hint: code === "NOTFOUND" ? shellCommand("list", [], options) : shellCommand("get", [id], options),
      facts: {
        machine: JSON.stringify(settings.machine),
        id: JSON.stringify(id),
        current: current === null ? "null" : documentText(current),
      },
    },
    cause,
  );
}
