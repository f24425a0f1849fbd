// Prints "N passed, N failed" for vitest's JSON reports: count-tests.mjs FAILED_STEPS REPORT...
// A step that failed without a failed test (lint, or a file that did not load) counts as one failure.
import { existsSync, readFileSync } from "node:fs";

const [failedSteps, ...paths] = process.argv.slice(2);
const reports = paths
  .filter((path) => existsSync(path))
  .map((path) => JSON.parse(readFileSync(path, "utf8")));
const sum = (count) => reports.reduce((total, report) => total + count(report), 0);

const passed = sum((report) => report.numPassedTests);
const skipped = sum((report) => report.numPendingTests + report.numTodoTests);
const redReports = reports.filter((report) => !report.success).length;
const failedTests = sum((report) => Math.max(report.numFailedTests, report.success ? 0 : 1));
const failed = failedTests + Math.max(0, Number(failedSteps) - redReports);

console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
