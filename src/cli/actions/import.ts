import { openConnection } from "../../valkey/open-connection.js";
import { CliError, usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { defaultActor } from "../input/actor.js";
import { keyPattern } from "../input/service-keys.js";
import { hidePassword, passwordIn, type Settings } from "../input/settings.js";
import { connectionOptions, withEntities } from "../session.js";
import { commandFor } from "../shell-command.js";
import { ImportReport } from "./import-report.js";
import { importService } from "./import-service.js";

/** Options of `import`. */
export interface ImportFlags {
  /** A pattern of keys; true for the default. */
  readonly fromService?: string | true;
  readonly sourceUrl?: string;
  readonly sourcePasswordFile?: string;
  readonly includeRemoved?: boolean;
  readonly actor?: string;
  readonly dryRun?: boolean;
}

const DEFAULT_PATTERN = "orchestrator:agent:*";

const SOURCES = [
  "sources:",
  "  --from-service [pattern]  the agents of the in-process AgentLifecycleService",
];

/**
 * Imports the agents of the in-process service. Prints those that need attention, and a verdict at the end.
 *
 * @throws CliError USAGE if no source is named, NOTFOUND if no key matches
 */
export async function importEntities(
  context: CliContext,
  settings: Settings,
  flags: ImportFlags,
): Promise<void> {
  const { fromService, actor = defaultActor(context.env), dryRun = false, includeRemoved = false } = flags;
  if (fromService === undefined) {
    const hint = commandFor(settings, "import", [], ["--from-service", "--dry-run"]);
    throw new CliError("USAGE", "import needs a source", { lines: SOURCES, hint });
  }
  const pattern = keyPattern(fromService === true ? DEFAULT_PATTERN : fromService);
  const from = sourceSettings(context, settings, flags);
  const options = from === settings ? undefined : await connectionOptions(from);
  const signal = context.interruption(true);
  const report = new ImportReport(context, { source: from, pattern, dryRun });
  await withEntities(settings, async (entities, store) => {
    const target = { entities, store, options: { actor, dryRun }, includeRemoved };
    const source = options === undefined ? store.connection : await openConnection(options);
    let isComplete = false;
    try {
      for await (const rows of importService(target, source, pattern)) {
        await report.add(rows);
        if (signal.aborted) return; // between two groups, so that no agent is left half done
      }
      isComplete = true;
    } finally {
      if (source !== store.connection) await source.close();
      await report.end(isComplete);
    }
  });
  if (report.keys > 0 || signal.aborted) return;
  throw new CliError("NOTFOUND", `no key matches ${pattern.text}`, {
    lines: ["check the pattern, --source-url, and the number of the database in the URL"],
  });
}

/** Returns the settings of the source: another server has its own password. */
function sourceSettings(context: CliContext, settings: Settings, flags: ImportFlags): Settings {
  const { sourceUrl: url, sourcePasswordFile: file } = flags;
  if (url === undefined && file !== undefined) throw usageError("--source-password-file needs --source-url");
  if (url === undefined) return settings;
  hidePassword(context, "--source-url", url, "--source-password-file");
  const { password: _, tls, ...others } = settings;
  const hasTls = /^(valkey|redis)s[+:]/.test(url);
  return {
    ...others,
    url,
    ...(file !== undefined && { password: passwordIn(file) }),
    ...(tls !== undefined && hasTls && { tls }),
  };
}
