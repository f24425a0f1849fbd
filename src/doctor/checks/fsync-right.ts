import type { DoctorContext } from "../context.js";
import type { Finding } from "../finding.js";
import { NotAllowed } from "../not-allowed.js";
import { lacksOf } from "../rights/ask.js";
import { samplesOf } from "../rights/samples.js";

/** Whether the user may ask for settings, as the client does before it waits for a disk. */
export async function mayAskSettings(context: DoctorContext): Promise<boolean> {
  return (await unlessDenied(context.config())) !== undefined;
}

/** Tells of it where only that keeps a writer from durability fsync. No line of a user grants it by itself. */
export async function fsyncRight(context: DoctorContext): Promise<Finding[]> {
  if (await mayAskSettings(context)) return [];
  const location = { ...context.location, partitions: 1 };
  const samples = ["evalsha", "hset", "waitaof"].flatMap((command) => samplesOf(command, location));
  const lacks = await unlessDenied(lacksOf(context, samples));
  if (lacks === undefined || lacks.some((lack) => lack !== undefined)) return [];
  const { user } = context;
  return [
    {
      id: "rights/fsync",
      level: "note",
      seen: `user ${user} may not ask CONFIG GET`,
      means:
        "changes with durability fsync are made, but always end with NotDurableError: what appendfsync says can't be asked; grant it where fsync is asked for, since it tells passwords too",
      mend: `ACL SETUSER ${user} +config|get`,
    },
  ];
}

async function unlessDenied<T>(question: Promise<T>): Promise<T | undefined> {
  return question.catch((error: unknown) => {
    if (error instanceof NotAllowed) return undefined;
    throw error;
  });
}
