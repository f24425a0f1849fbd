// Checks the words of what a person reads: Markdown, comments, docstrings, texts of the CLI, errors and test titles.
//
//   node scripts/words.mjs [paths…]    files or folders, default: the whole repository
//
// Prints `file:line: phrase → better` for each hit and exits with 1 if there is one. The list is words/words.yml.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { hitsIn } from "./words/check.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Pages that are not checked. lua/README.md describes the contract word by word and will be written anew with it. */
const EXCLUDED = new Set(["lua/README.md"]);
/** Generated from docstrings, which are checked where they stand. */
const GENERATED = "docs/reference/api/";

function filesOf(paths) {
  const inRoot = paths.map((path) => relative(root, resolve(path)) || ".");
  const list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ...inRoot];
  const files = execFileSync("git", list, { cwd: root, encoding: "utf8" }).split("\0");
  return [...new Set(files)]
    .filter(
      (file) =>
        file !== "" && !EXCLUDED.has(file) && !file.startsWith(GENERATED) && existsSync(resolve(root, file)),
    )
    .sort();
}

let count = 0;
for (const file of filesOf(process.argv.slice(2))) {
  for (const { line, phrase, better } of await hitsIn(file, readFileSync(resolve(root, file), "utf8"))) {
    console.log(`${file}:${line}: ${phrase} → ${better}`);
    count += 1;
  }
}
if (count > 0) console.error(`words: ${count} phrases to replace; the list is scripts/words/words.yml`);
process.exitCode = count > 0 ? 1 : 0;
