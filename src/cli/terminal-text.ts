/**
 * Characters that a terminal acts on or that reorder what is shown: controls (C0, DEL, C1), line separators and the
 * marks of text direction.
 */
const ACTIVE = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A text that does nothing to a terminal: what it would act on is shown as `\u001b`. */
export function shownText(text: string): string {
  return text.replace(ACTIVE, escaped);
}

/** JSON that does nothing to a terminal and means the same: such characters stand only in strings, as escapes. */
export function shownJson(json: string): string {
  return shownText(json);
}
