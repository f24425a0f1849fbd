// Runs all tests, long fault runs and benchmarks, and writes a summary to docs/evidence/: `npm run verify:all`.
// It takes hours. `npm run verify:all -- faults package` runs only the named parts.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RELEASES } from "./servers/releases.mjs";
import { release } from "./setup/apt.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const reports = mkdtempSync(join(tmpdir(), "latchkey-verify-"));

const tests = (script, ...options) => ({ words: [script, "--", ...options], hasReport: true });
const program = (script, ...options) => ({ words: [script, "--", ...options], hasReport: false });
const faults = (topology) =>
  program("faults", ..."--ops 200000 --faults 300 --seed 1 --topology".split(" "), topology);

const PARTS = {
  tests: [tests("test"), tests("test:outages"), tests("test:programs")],
  faults: [tests("test:faults"), faults("standalone"), faults("sentinel"), faults("cluster")],
  docs: [tests("test:docs"), program("docs:api", "--check")],
  package: [tests("test:package"), tests("test:projects")],
  containers: [tests("test:containers")],
  bench: [
    ...["script-cost", "durability", "retention", "takeover", "backlog", "peers"].map((name) =>
      program(`bench:${name}`, "--check"),
    ),
    ...["client", "cli", "page"].map((name) => program(`bench:${name}`)),
  ],
  servers: Object.keys(RELEASES).map((server) => ({ ...tests("test:servers", server), server })),
};

function installedVersion() {
  const program = process.env.LATCHKEY_VALKEY_BIN || "valkey-server";
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  return /\bv=(\S+)/.exec(stdout ?? "")?.[1] ?? "unknown";
}

/** Runs one npm script with its output shown. Skipped container tests fail, as in CI. */
async function run({ words, hasReport, server }) {
  const report = join(reports, "report.json");
  rmSync(report, { force: true });
  const more = hasReport ? ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`] : [];
  const began = performance.now();
  const child = spawn("npm", ["run", "--silent", ...words, ...more], {
    cwd: root,
    env: { ...process.env, CI: "true" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
    process.stdout.write(text);
  });
  const [status] = await once(child, "close");
  const { numPassedTests, numFailedTests, numPendingTests } = existsSync(report)
    ? JSON.parse(readFileSync(report, "utf8"))
    : {};
  return {
    command: `npm run ${words.join(" ")}`.replace(/ --$/, ""),
    server: server ?? `valkey-${installedVersion()}`,
    isWell: status === 0 && (!hasReport || numPassedTests > 0),
    counts: [numPassedTests, numFailedTests, numPendingTests].map((count) => count ?? ""),
    seconds: Math.round((performance.now() - began) / 1000),
    output: hasReport ? "" : output.replaceAll(tmpdir(), "$TMPDIR").replaceAll(root, "").trimEnd(),
  };
}

const git = (...words) => spawnSync("git", words, { cwd: root, encoding: "utf8" }).stdout.trim();

function summary(names, results, commit) {
  const date = new Date().toISOString().slice(0, 10);
  const table = results.map(({ command, server, isWell, counts, seconds }) =>
    ["", `\`${command}\``, server, isWell ? "ok" : "FAILED", ...counts, seconds, ""].join(" | ").trim(),
  );
  const printed = results
    .filter(({ output }) => output !== "")
    .map(({ command, output }) => `\n## ${command}\n\n\`\`\`text skip="a measurement"\n${output}\n\`\`\`\n`);
  return `# Verification of ${date}, commit ${commit}

This page is for readers who want to know what was tested. After it you know the result of each command. Written by \`npm run verify:all -- ${names.join(" ")}\`.

${release().PRETTY_NAME ?? process.platform}, ${availableParallelism()} cores, Node ${process.version}, Valkey ${installedVersion()}.

| command | server | result | passed | failed | skipped | seconds |
|---|---|---|---|---|---|---|
${table.join("\n")}
${printed.join("")}`;
}

async function main() {
  const given = process.argv.slice(2);
  const possible = Object.keys(PARTS);
  const unknown = given.find((name) => !possible.includes(name));
  if (unknown !== undefined) {
    console.error(`verify:all: unknown part "${unknown}". Choose from: ${possible.join(", ")}.`);
    return 2;
  }
  const names = given.length > 0 ? given : possible;
  const commit =
    git("rev-parse", "--short=7", "HEAD") + (git("status", "--porcelain") === "" ? "" : "-modified");
  const { status } = spawnSync(process.execPath, ["scripts/setup.mjs"], { cwd: root, stdio: "inherit" });
  if (status !== 0) return 1;
  const results = [];
  for (const part of names.flatMap((name) => PARTS[name])) results.push(await run(part));
  const file = `docs/evidence/verify-${commit}-${names.length === possible.length ? "all" : names.join("-")}.md`;
  mkdirSync(join(root, "docs/evidence"), { recursive: true });
  writeFileSync(join(root, file), summary(names, results, commit));
  console.log(`verify:all: wrote ${file}`);
  return results.every(({ isWell }) => isWell) ? 0 : 1;
}

try {
  process.exitCode = await main();
} finally {
  rmSync(reports, { recursive: true, force: true });
}
