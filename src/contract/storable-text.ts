import { stripVTControlCharacters } from "node:util";

/** Control characters, line and paragraph separators, and bidirectional controls, which reorder the text that follows. */
const CONTROL = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu;
/** All of `CONTROL` except tab and line feed. */
const LINES_CONTROL = /(?:(?![\t\n])[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069])+/gu;

/**
 * Makes a text for people storable: removes colours, replaces characters that control lines or direction by spaces and half
 * surrogate pairs by U+FFFD, and cuts the text at a character. A change that records a failure must not fail because of its
 * text.
 *
 * @param longest bytes of UTF-8, the ellipsis of a cut text included
 * @param hasLines true to keep tabs and line ends
 */
export function storableText(text: string, longest: number, hasLines = false): string {
  if (text.length <= longest && /^[ -~]*$/.test(text)) return text;
  const control = hasLines ? LINES_CONTROL : CONTROL;
  const lines = stripVTControlCharacters(text)
    .replaceAll("\r\n", "\n")
    .replace(control, " ")
    .replace(/\p{Surrogate}/gu, "\ufffd");
  const clean = hasLines ? lines : lines.trim();
  if (Buffer.byteLength(clean) <= longest) return clean;
  const { read } = new TextEncoder().encodeInto(clean, new Uint8Array(longest - 3));
  return `${clean.slice(0, read)}…`;
}
