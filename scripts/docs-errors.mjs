// Writes the table of all error codes into docs/reference/errors.md, from the comments in src/errors/codes.ts. Run the
// build first.
//
//   node scripts/docs-errors.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PAGE = new URL("../docs/reference/errors.md", import.meta.url);
const TABLE = /(<!-- codes:begin -->\n).*?(<!-- codes:end -->)/s;

const SOURCE = new URL("../src/errors/codes.ts", import.meta.url);
const CODE = /\/\*\* ([^|]+) \| ([^|]+) \| ([^|]+) \*\/\s*\| "(\w+)"/g;

/** Reads the documented codes: code to classes, meaning and action. */
export function documentedCodes(source = readFileSync(SOURCE, "utf8")) {
  return Object.fromEntries(
    [...source.matchAll(CODE)].map(([, classes, meaning, action, code]) => [
      code,
      { classes: classes.split(", "), meaning, action },
    ]),
  );
}

/** Returns the page with its table replaced. `exitCodeOf` takes an error with a code. */
export function pageWithCodes(page, codes, exitCodeOf) {
  const rows = Object.entries(codes).map(([code, { classes, meaning, action }]) => {
    const exit = exitCodeOf(Object.assign(new Error(meaning), { code }));
    const names = classes.map((name) => `\`${name}\``).join(", ");
    return `| \`${code}\` | ${names} | ${meaning} | ${action} | ${exit} |\n`;
  });
  const head = "| code | error | meaning | what to do | exit code |\n|---|---|---|---|---|\n";
  return page.replace(TABLE, (_, begin, end) => `${begin}${head}${rows.join("")}${end}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { exitCodeOf } = await import("../dist/cli/exit-codes.js");
  writeFileSync(PAGE, pageWithCodes(readFileSync(PAGE, "utf8"), documentedCodes(), exitCodeOf));
}
