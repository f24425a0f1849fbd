/** Characters that control a terminal or reorder its text: C0, DEL, C1, line separators and text direction marks. */
const ACTIVE = /[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/**
 * Escapes the characters of a text that would control a terminal, such as `\u001b`. JSON contains them only in strings, so
 * its value stays the same.
 */
export function shownText(text: string): string {
  return text.replace(ACTIVE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Characters that take two columns: East Asian wide and full-width characters, and emoji. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const PLAIN = /^[ -~]*$/;
let graphemes: Intl.Segmenter | undefined;

/**
 * Computes the width of a text in columns of a terminal.
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
