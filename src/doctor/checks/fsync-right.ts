import type { Finding } from "../finding.js";
import { NotAllowed } from "../not-allowed.js";
import type { Patient } from "../patient.js";
import { lacksOf } from "../rights/ask.js";
import { samplesOf } from "../rights/samples.js";

/** Whether the user may ask for settings, as the client does before it waits for a disk. */
export async function mayAskSettings(patient: Patient): Promise<boolean> {
  return (await unlessDenied(patient.config())) !== undefined;
}

/** Tells of it where only that keeps a writer from durability fsync. No line of a user grants it by itself. */
export async function fsyncRight(patient: Patient): Promise<Finding[]> {
  if (await mayAskSettings(patient)) return [];
  const place = { ...patient.place, partitions: 1 };
  const samples = ["evalsha", "hset", "waitaof"].flatMap((command) => samplesOf(command, place));
  const lacks = await unlessDenied(lacksOf(patient, samples));
  if (lacks === undefined || lacks.some((lack) => lack !== undefined)) return [];
  const { user } = patient;
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
