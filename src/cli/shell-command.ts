import { thisProgram } from "./this-program.js";

/** A word as a shell takes it: quoted where bash, zsh or fish would read more into it. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_.:/@+-][A-Za-z0-9_.:/@+=-]*$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/**
 * A command of this program that can be pasted into a shell.
 *
 * @param options option words, each `--name` or its value
 */
export function shellCommand(
  verb: string,
  words: readonly string[],
  options: readonly string[] = [],
): string {
  const isPlain = words.every((word) => !word.startsWith("-"));
  const parts = isPlain ? [...words, ...options] : [...options, "--", ...words];
  return [thisProgram(), ...[verb, ...parts].map(shellWord)].join(" ");
}
