import { readFile, truncate, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { Violation } from "../fault.js";
import { appendedFiles } from "./append-only-file.js";

const [STAR, DOLLAR, ZERO] = [0x2a, 0x24, 0];
/** No change of a canary has this many zero bytes. */
const HOLE = Buffer.alloc(8);

/** Describes the damage of a server's append-only files. */
export interface Holes {
  readonly holes: number;
  /** True if a hole replaced changes: the file then ends before it. */
  readonly isCutShort: boolean;
}

/**
 * Removes holes from the append-only files of a server that does not run.
 *
 * A rewrite opens the next file without O_APPEND. If the disk is full and a write is incomplete, the server removes that
 * part but keeps its old write position. Zero bytes then remain between transactions, and the server does not start
 * again. It also assumes that the file is shorter than it is: the next incomplete write removes too much, and its hole
 * replaces acknowledged changes. Everything after that hole is unusable.
 *
 * @throws Violation if a file is damaged in any other way
 */
export async function removeHoles(dataDir: string): Promise<Holes> {
  let [holes, isCutShort] = [0, false];
  for (const file of await appendedFiles(dataDir)) {
    if (isCutShort) {
      await truncate(file);
      continue;
    }
    const { parts, isEnd } = wholeParts(await readFile(file), basename(file));
    if (parts.length > 1 || isEnd) await writeFile(file, Buffer.concat(parts));
    holes += parts.length - 1 + (isEnd ? 1 : 0);
    isCutShort = isEnd;
  }
  return { holes, isCutShort };
}

/** Returns the parts between holes, up to the first hole within a transaction. */
function wholeParts(bytes: Buffer, name: string): { parts: Buffer[]; isEnd: boolean } {
  const parts: Buffer[] = [];
  let [from, whole, at, isOpen] = [0, 0, 0, false];
  while (at < bytes.length) {
    if (bytes[at] === ZERO && !isOpen) {
      parts.push(bytes.subarray(from, at));
      while (bytes[at] === ZERO) at += 1;
      from = at;
      whole = at;
      continue;
    }
    const command = commandAt(bytes, at);
    if (command === undefined || bytes.subarray(at, command.end).includes(HOLE)) {
      // Too much was removed, and the server continued in the next file, unless more zero bytes follow.
      if (parts.length === 0 && !bytes.subarray(at).includes(HOLE)) {
        throw new Violation(`${name} is damaged at ${at} of ${bytes.length}, but not by a hole`);
      }
      return { parts: [...parts, bytes.subarray(from, whole)], isEnd: true };
    }
    if (command.name === "MULTI") isOpen = true;
    if (command.name === "EXEC") isOpen = false;
    at = command.end;
    if (!isOpen) whole = at;
  }
  if (isOpen && parts.length === 0) throw new Violation(`${name} ends within a transaction`);
  if (isOpen) return { parts: [...parts, bytes.subarray(from, whole)], isEnd: true };
  return { parts: [...parts, bytes.subarray(from)], isEnd: false };
}

/** Returns the command at `start`, or undefined if there is no complete one. */
function commandAt(bytes: Buffer, start: number): { name: string; end: number } | undefined {
  const head = numberAt(bytes, start, STAR);
  if (head === undefined) return undefined;
  let [end, name] = [head.end, ""];
  for (let word = 0; word < head.value; word += 1) {
    const length = numberAt(bytes, end, DOLLAR);
    if (length === undefined || length.end + length.value + 2 > bytes.length) return undefined;
    if (word === 0) name = bytes.toString("latin1", length.end, length.end + length.value).toUpperCase();
    end = length.end + length.value + 2;
  }
  return { name, end };
}

function numberAt(bytes: Buffer, at: number, mark: number): { value: number; end: number } | undefined {
  const end = bytes.indexOf("\r\n", at);
  if (bytes[at] !== mark || end === -1) return undefined;
  return { value: Number(bytes.toString("latin1", at + 1, end)), end: end + 2 };
}
