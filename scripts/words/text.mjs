// A text is a stretch of prose in a source file: { kind, start, text }. `text` is as long as the source that it stands for, with
// everything that is not prose blanked, so that an index in it plus `start` is a position in the file.

/** Stands for code inside of prose: neither a letter nor a space, so that no phrase of the word list matches across it. */
const HOLE = "…";

/** Replaces `source[from, to)` by spaces or, with `HOLE`, by something that no phrase matches. */
function blank(source, from, to, filler = " ") {
  return source.slice(0, from) + source.slice(from, to).replace(/[^\n]/g, filler) + source.slice(to);
}

/** Blanks code fences, code spans, links to symbols and names of files; the delimiters of a span stay. */
function withoutCode(text) {
  return text
    .replace(/^( *```).*\n[\s\S]*?^ *```/gm, (fence) => blank(fence, 0, fence.length, HOLE))
    .replace(/(`+)(?!`)[\s\S]*?[^`]\1(?!`)|\{@\w+[^}]*\}/g, (span) => blank(span, 1, span.length - 1, HOLE))
    .replace(/[\w./-]+\.(?:lua|ts|mjs|js|md|ya?ml|json)\b/g, (name) => HOLE.repeat(name.length));
}

/** Makes a text of a comment by blanking its delimiters and the margin of its lines. */
export function comment(source, start, end, kind = "comment") {
  const bare = source
    .slice(start, end)
    .replace(/^\/\*+|\*+\/$/g, (delimiter) => " ".repeat(delimiter.length))
    .replace(/^\s*(?:\*|\/\/+|--+(?:\[=*\[)?)/gm, (margin) => margin.replace(/[^\n]/g, " "));
  return { kind, start, text: withoutCode(bare) };
}

/** Joins comments of one line each that follow each other directly, since a sentence goes on from line to line. */
export function joinLines(source, ranges) {
  const joined = [];
  for (const range of ranges) {
    const last = joined.at(-1);
    if (last !== undefined && /^[^\S\n]*\n?[^\S\n]*$/.test(source.slice(last.end, range.start)))
      last.end = range.end;
    else joined.push({ ...range });
  }
  return joined;
}

/** Makes one text of the literal parts of a string; values between them become holes, quotes and `+` become spaces. */
export function string(source, parts, kind) {
  const { start } = parts[0];
  const { end } = parts.at(-1);
  let text = blank(source, start, end).slice(start, end);
  for (const part of parts) {
    const raw = source.slice(part.start, part.end);
    const said = part.hole ? HOLE.repeat(raw.length) : raw.replace(/\\[nrt]/g, "  ").replace(/\\(.)/g, " $1");
    text = text.slice(0, part.start - start) + said + text.slice(part.end - start);
  }
  return { kind, start, text: withoutCode(text) };
}
