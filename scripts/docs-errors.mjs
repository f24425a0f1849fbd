// Writes the table of all error codes into docs/reference/errors.md, from src/errors/codes.ts. Run the build first.
//
//   node scripts/docs-errors.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PAGE = new URL("../docs/reference/errors.md", import.meta.url);
const TABLE = /(<!-- codes:begin -->\n).*?(<!-- codes:end -->)/s;

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
  const { codes } = await import("../dist/errors/codes.js");
  const { exitCodeOf } = await import("../dist/cli/exit-codes.js");
  writeFileSync(PAGE, pageWithCodes(readFileSync(PAGE, "utf8"), codes, exitCodeOf));
}
