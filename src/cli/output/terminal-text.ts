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

/** What terminals show in two columns: East Asian wide and full-width characters, and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const PLAIN = /^[ -~]*$/;
let graphemes: Intl.Segmenter | undefined;

/**
 * How many columns of a terminal a shown text takes.
 *
 * @example textWidth("操作者"); // 6
 */
export function textWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  graphemes ??= new Intl.Segmenter("en");
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}
