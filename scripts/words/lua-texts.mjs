// Collects the comments of a Lua file.
import { comment, joinLines } from "./text.mjs";

// Strings are matched as well, so that `--` in one starts no comment.
const TOKEN =
  /(--\[(=*)\[[\s\S]*?\]\2\]|--[^\n]*)|"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|\[(=*)\[[\s\S]*?\]\3\]/g;

export function luaTexts(source) {
  const ranges = [...source.matchAll(TOKEN)]
    .filter(([, found]) => found !== undefined)
    .map(({ index, 0: found }) => ({ start: index, end: index + found.length }));
  return joinLines(source, ranges).map(({ start, end }) => comment(source, start, end));
}
