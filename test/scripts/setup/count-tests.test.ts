import { spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { freshFolder } from "../../helpers/folder.js";

const SCRIPT = fileURLToPath(new URL("../../../scripts/count-tests.mjs", import.meta.url));
const GREEN = { success: true, numPassedTests: 5, numFailedTests: 0, testResults: [] };
const SKIPPED = { assertionResults: [{ status: "skipped", fullName: "a test" }] };

/** Returns the script's output and exit code for these reports and this number of failed steps. */
async function count(failedSteps: number, reports: (object | undefined)[]) {
  const folder = await freshFolder();
  const paths = reports.map((_, index) => join(folder, `${index}.json`));
  for (const [index, report] of reports.entries())
    if (report !== undefined) await writeFile(paths[index] ?? "", JSON.stringify(report));
  const { stdout, status } = spawnSync(process.execPath, [SCRIPT, String(failedSteps), ...paths], {
    encoding: "utf8",
  });
  return [stdout, status];
}

test.each([
  ["adds up what passed", 0, [GREEN, GREEN], "10 passed, 0 failed\n", 0],
  [
    "counts failed tests once",
    1,
    [GREEN, { ...GREEN, success: false, numFailedTests: 2 }],
    "10 passed, 2 failed\n",
    1,
  ],
  ["counts a file that did not load", 1, [{ ...GREEN, success: false }], "5 passed, 1 failed\n", 1],
  ["counts a failed step without a report", 1, [GREEN], "5 passed, 1 failed\n", 1],
  [
    "names skipped tests and counts them as failed",
    0,
    [{ ...GREEN, testResults: [SKIPPED] }],
    "SKIPPED: a test\n5 passed, 1 failed\n",
    1,
  ],
  ["counts a missing report as failed", 0, [GREEN, undefined], "5 passed, 1 failed\n", 1],
  ["fails when nothing ran at all", 0, [], "0 passed, 0 failed\n", 1],
])("the count of tests %s", async (_, failedSteps, reports, line, code) => {
  expect(await count(failedSteps, reports)).toEqual([line, code]);
});
