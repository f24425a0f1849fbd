import { Writable } from "node:stream";
import { pino } from "pino";

/** Every text that can be reached from a value: properties of all kinds, own and inherited, to any depth. */
export function textsIn(value: unknown, seen = new Set<unknown>()): string[] {
  if (typeof value === "string") return [value];
  if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value))
    return [];
  seen.add(value);
  const texts: string[] = [];
  for (const key of Reflect.ownKeys(value)) {
    const part: unknown = Reflect.get(value, key);
    texts.push(String(key), ...textsIn(part, seen));
  }
  return texts;
}

/** A pino logger that takes down all it is told, at every level. */
export function recordingLogger(): { logger: pino.Logger; lines: string[] } {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, callback) {
      lines.push(String(chunk));
      callback();
    },
  });
  return { logger: pino({ level: "trace" }, sink), lines };
}
