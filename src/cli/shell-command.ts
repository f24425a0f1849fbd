import { accessSync, constants, realpathSync } from "node:fs";
import { delimiter, join, relative } from "node:path";
import type { Settings } from "./input/settings.js";

/** Quotes a word if bash, zsh or fish would interpret it. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_.:/@+-][A-Za-z0-9_.:/@+=,-]*$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * Returns the command that starts this program from a shell in this folder: `latchkey` if PATH has it, else Node with
 * the file, as in a fresh clone.
 *
 * @param script the file that Node runs
 * @example thisProgram(); // "node bin/latchkey.js"
 */
export function thisProgram(script = process.argv[1] ?? "latchkey", path = process.env.PATH ?? ""): string {
  const own = realpathSync(script);
  if (path.split(delimiter).some((folder) => isProgram(join(folder, "latchkey"), own))) return "latchkey";
  const nearby = relative(process.cwd(), own);
  return `node ${shellWord(nearby.startsWith("..") ? own : nearby)}`;
}

/** Returns true if a file is executable and is, after its links are resolved, the program itself. */
function isProgram(file: string, own: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return realpathSync(file) === own;
  } catch {
    return false;
  }
}

/** Settings of which the options that were typed are repeated in commands to paste. */
type Repeated = Pick<Settings, "given" | "machine" | "namespace" | "url">;

let program: string | undefined;

/**
 * Makes a command of this program to paste into a shell. It uses the same machine, namespace and server.
 *
 * @param options option words, each `--name` or its value
 */
export function commandFor(
  settings: Repeated,
  verb: string,
  words: readonly string[] = [],
  options: readonly string[] = [],
): string {
  const all = [...options, ...settingsOptions(settings)];
  const isPlain = words.every((word) => !word.startsWith("-"));
  const parts = isPlain ? [...words, ...all] : [...all, "--", ...words];
  program ??= thisProgram();
  return [program, ...[verb, ...parts].map(shellWord)].join(" ");
}

/** Returns the options that lead a command to the same machine on the same server; never a password. */
export function settingsOptions({ given, machine, namespace, url }: Repeated): string[] {
  return [
    ...(given.machine === undefined ? [] : ["-m", machine]),
    ...(given.namespace === undefined ? [] : ["--namespace", namespace]),
    ...(given.url === undefined ? [] : ["--url", withoutPassword(url)]),
    ...(given.passwordFile === undefined ? [] : ["--password-file", given.passwordFile]),
    ...(given.tlsCaFile === undefined ? [] : ["--tls-ca-file", given.tlsCaFile]),
    ...(given.tlsCertFile === undefined ? [] : ["--tls-cert-file", given.tlsCertFile]),
    ...(given.tlsKeyFile === undefined ? [] : ["--tls-key-file", given.tlsKeyFile]),
    ...(given.tlsServerName === undefined ? [] : ["--tls-server-name", given.tlsServerName]),
  ];
}

/** Removes the password from a URL, which may have several hosts or a path instead of a host. */
export function withoutPassword(url: string): string {
  return url.replace(/^([^:]*:\/\/[^:/]*):[^/]*@/, "$1@").replace("://@", "://");
}
