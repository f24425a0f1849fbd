import type { MachineLocation } from "../../valkey/keys.js";
import type { DoctorContext } from "../context.js";
import type { Finding } from "../finding.js";
import { NotAllowed } from "../not-allowed.js";
import { type Lack, lacksOf } from "../rights/ask.js";
import { allRules, channelPattern, commandsOf, keyPatterns, userLine } from "../rights/lines.js";
import {
  CHECK_READS,
  CHECKS,
  REACTION_READS,
  REACTS,
  READER_EXTRAS,
  STATS,
  STATS_READS,
  WAITS,
} from "../rights/needs.js";
import { samplesOf } from "../rights/samples.js";
import { mayAskSettings } from "./fsync-right.js";

const id = "rights";

/** Commands that a reader has no use for. */
const WRITES = ["evalsha", "hset", "hsetnx", "rpush", "xadd", "zadd", "zrem"];

/** Commands that some can do without, and what is lost then. */
type Extras = readonly (readonly [commands: readonly string[], lost: string])[];

const [REACTIONS_LOST, FSCK_LOST, STATS_LOST] = ["reactions are", "fsck is", "stats is"].map(
  (what) => `${what} refused with NOPERM`,
) as [string, string, string];

const WRITER_EXTRAS: Extras = [
  [WAITS, "none that asks for durability can be waited for"],
  [REACTS, REACTIONS_LOST],
  [CHECKS, FSCK_LOST],
  [STATS, STATS_LOST],
];

const LOOKS_EXTRAS: Extras = [
  [REACTION_READS, REACTIONS_LOST],
  [CHECK_READS, FSCK_LOST],
  [STATS_READS, STATS_LOST],
];

/** What is lost without some commands. */
function lostOf(extras: Extras, lacking: readonly string[]): string {
  const lost = extras.filter(([commands]) => commands.some((command) => lacking.includes(command)));
  return lost.map(([, what]) => what).join(", and ");
}

/** Whether the user may do exactly what latchkey's scripts and client need. */
export async function rights(context: DoctorContext): Promise<Finding> {
  // Partitions differ in nothing that rights are about.
  const location = { ...context.location, partitions: 1 };
  const { namespace } = location;
  const { user } = context;
  let lacking: Lacking;
  try {
    lacking = await lackingOf(context, location);
  } catch (error) {
    if (!(error instanceof NotAllowed)) throw error;
    const seen = `user ${user}: can't be asked without +multi or +acl|dryrun`;
    const means = "lists and the event log need +multi; what else this user lacks is not known";
    return { id, level: "bad", seen, means, mend: grant(user, allRules("writer", namespace)) };
  }
  if (lacking.writer.length === 0) return complete(user, namespace, await mayAskSettings(context));
  const mend = grant(user, lacking.writer);
  if (lacking.isReader) {
    const seen = `user ${user} may look, and change nothing`;
    const lost = lostOf(LOOKS_EXTRAS, lacking.commands);
    const means = `enough for get, list, history and events, ${lost === "" ? "and to check with fsck" : `but ${lost}`}`;
    return { id, level: "note", seen, means, mend };
  }
  const seen = `user ${user} lacks ${lacking.writer.join(" ")}`;
  const commands = lacking.writer.map((rule) => rule.slice(1));
  if (commands.every((command) => WRITER_EXTRAS.some(([some]) => some.includes(command)))) {
    const means = `enough for changes, but ${lostOf(WRITER_EXTRAS, commands)}`;
    return { id, level: "note", seen, means, mend };
  }
  const means = "calls that need these are refused with NOPERM, before anything is written";
  return { id, level: "bad", seen, means, mend };
}

/** What a user lacks. */
interface Lacking {
  /** The rules that would make it a writer. */
  readonly writer: readonly string[];
  /** It lacks nothing to look, and may write nothing: that is on purpose. */
  readonly isReader: boolean;
  /** The commands among them, whatever they lack. */
  readonly commands: readonly string[];
}

interface Asked {
  readonly command: string;
  readonly lack: Lack | undefined;
}

async function lackingOf(context: DoctorContext, location: MachineLocation): Promise<Lacking> {
  const db = context.connection.client.options.db ?? 0;
  const commands = [...commandsOf("writer"), ...(db === 0 ? [] : ["select"])];
  const samples = commands.flatMap((command) =>
    samplesOf(command, location).map((sample) => ({ command, sample })),
  );
  const lacks = await lacksOf(
    context,
    samples.map(({ sample }) => sample),
  );
  const asked = samples.map(({ command }, at): Asked => ({ command, lack: lacks[at] }));
  const reads = [...commandsOf("reader").filter((command) => !READER_EXTRAS.includes(command)), "select"];
  return {
    writer: missingRules(asked, location.namespace),
    isReader: asked.every(({ command, lack }) =>
      reads.includes(command) ? lack === undefined : !WRITES.includes(command) || lack !== undefined,
    ),
    commands: asked.filter(({ lack }) => lack !== undefined).map(({ command }) => command),
  };
}

/** The server names a lacking command before a lacking key: where no call got that far, the keys are granted too. */
function missingRules(asked: readonly Asked[], namespace: string): string[] {
  const lacking = asked.filter(({ lack }) => lack !== undefined);
  if (lacking.length === 0) return [];
  const isIn = (commands: readonly string[], { command, lack }: Asked): boolean =>
    commands.includes(command) && lack === undefined;
  const hasKeys = asked.some((one) => isIn(WRITES, one));
  const hasChannel = asked.some(
    ({ command, lack }) => lack === undefined && /^(publish|subscribe)$/.test(command),
  );
  const commands = lacking.filter(({ lack }) => lack === "command").map(({ command }) => `+${command}`);
  return [
    ...(hasKeys && lacking.every(({ lack }) => lack !== "key") ? [] : keyPatterns(namespace, "writer")),
    ...(hasChannel && lacking.every(({ lack }) => lack !== "channel") ? [] : [channelPattern(namespace)]),
    ...new Set(commands),
  ];
}

function grant(user: string, lacking: readonly string[]): string {
  return `ACL SETUSER ${user} ${lacking.join(" ")}`;
}

function complete(user: string, namespace: string, hasSettings: boolean): Finding {
  const but = hasSettings ? "" : ", but for CONFIG GET, which durability fsync alone needs";
  const means = `every command of the scripts and of the client is allowed, on the namespace's keys and channels${but}`;
  if (user !== "default") return { id, level: "ok", seen: `user ${user} lacks nothing`, means };
  return {
    id,
    level: "note",
    seen: "user default lacks nothing",
    means: `${means}; a user of its own limits what a stolen password can do`,
    mend: userLine("writer", namespace),
  };
}
