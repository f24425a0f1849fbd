import { readFile, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { Violation } from "../fault.js";
import { appendedFiles } from "./torn-file.js";

const [STAR, DOLLAR, ZERO] = [0x2a, 0x24, 0];

/**
 * Takes holes out of the append-only files of a server that does not run, and tells how many there were.
 *
 * A rewrite opens the next file without O_APPEND. When the disk is full then, and a write comes out short, the server
 * takes the part away again, but goes on writing behind where it ended: zeros are left in between, between whole
 * transactions, and the server does not start any more. Nothing else is wrong with such a file.
 *
 * @throws Violation when a file is damaged in any other way.
 */
export async function cutHoles(dataDir: string): Promise<number> {
  let holes = 0;
  for (const file of await appendedFiles(dataDir)) {
    const kept = wholeParts(await readFile(file), basename(file));
    if (kept.length > 1) await writeFile(file, Buffer.concat(kept));
    holes += kept.length - 1;
  }
  return holes;
}

/** The parts between holes; one where there is none. */
function wholeParts(bytes: Buffer, name: string): Buffer[] {
  const parts: Buffer[] = [];
  let [from, at, isOpen] = [0, 0, false];
  while (at < bytes.length) {
    if (bytes[at] === ZERO && !isOpen) {
      parts.push(bytes.subarray(from, at));
      while (bytes[at] === ZERO) at += 1;
      from = at;
      continue;
    }
    const command = commandAt(bytes, at);
    if (command === undefined)
      throw new Violation(`${name} is damaged at ${at} of ${bytes.length}, by no hole`);
    if (command.name === "MULTI") isOpen = true;
    if (command.name === "EXEC") isOpen = false;
    at = command.end;
  }
  if (isOpen) throw new Violation(`${name} ends within a transaction`);
  return [...parts, bytes.subarray(from)];
}

/** One command of the file; undefined where none stands there as a whole. */
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
