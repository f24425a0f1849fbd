// Prints "N passed, N failed" for vitest's JSON reports: count-tests.mjs FAILED_STEPS REPORT...
// Failures are: failed tests; skipped tests, whose names are printed first; files that did not load; failed steps and
// missing reports.
import { existsSync, readFileSync } from "node:fs";

const [failedSteps, ...paths] = process.argv.slice(2);
const reports = paths
  .filter((path) => existsSync(path))
  .map((path) => JSON.parse(readFileSync(path, "utf8")));
const sum = (count) => reports.reduce((total, report) => total + count(report), 0);

const tests = reports.flatMap((report) => report.testResults).flatMap((file) => file.assertionResults);
const skipped = tests.filter(({ status }) => status !== "passed" && status !== "failed");
for (const { fullName } of skipped) console.log(`SKIPPED: ${fullName}`);

const passed = sum((report) => report.numPassedTests);
const failedTests = sum((report) => Math.max(report.numFailedTests, report.success ? 0 : 1));
const redReports = reports.filter((report) => !report.success).length;
const withoutReport = Math.max(paths.length - reports.length, Number(failedSteps) - redReports);
const failed = failedTests + skipped.length + withoutReport;

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
