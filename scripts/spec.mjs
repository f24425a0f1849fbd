// Checks the model of SEEN (spec/Seen.tla) with TLC: every configuration must hold, and every mutation must be found.
// It needs Java and Maven. Without them it prints SKIPPED and succeeds; in CI it fails.
//
//   npm run spec [-- [--full] [--mutations] [--only TEXT] [--jobs N]]
//
// --full checks the large configurations, --mutations only the mutations, --only those whose name contains TEXT.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { FULL, INVARIANTS, USUAL } from "./spec/configurations.mjs";
import { MUTATIONS, mutate } from "./spec/mutations.mjs";
import { check, fetchTlc, missing } from "./spec/tlc.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const OPTIONS = {
  full: { type: "boolean", default: false },
  mutations: { type: "boolean", default: false },
  only: { type: "string", default: "" },
  jobs: { type: "string", default: String(availableParallelism()) },
};

/** Every run: what it is called, what it checks, and the invariant that must be violated, if any. */
function runs(model, { full, mutations, only }) {
  const configurations = (full ? FULL : USUAL).map((configuration) => ({
    ...{ ...configuration, model, invariants: INVARIANTS },
  }));
  const mutated = MUTATIONS.map((mutation) => ({
    name: `without: ${mutation.name}`,
    model: mutate(model, mutation),
    constants: mutation.constants,
    invariants: [mutation.violates],
    violates: mutation.violates,
  }));
  const chosen = mutations ? mutated : full ? configurations : [...configurations, ...mutated];
  return chosen.filter(({ name }) => name.includes(only));
}

/** Runs one check and prints its line. @returns true if the result is as expected */
async function report(jar, { name, model, constants, invariants, violates }) {
  const { violated, states, seconds, output } = await check(jar, model, constants, invariants);
  const isWell = violated === violates;
  const result = violated === undefined ? "holds" : `${violated} is violated`;
  const verdict = isWell ? (violates === undefined ? "ok" : "found") : "FAILED";
  console.log(
    `${verdict.padEnd(6)} ${String(states).padStart(8)} states ${seconds.toFixed(1).padStart(6)} s  ${name}: ${result}`,
  );
  if (!isWell && violated !== undefined) console.log(output);
  return isWell;
}

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  const absent = missing();
  if (absent.length > 0) {
    console.log(`SKIPPED: the model was not checked: ${absent.join(" and ")} missing`);
    return process.env.CI === "true" ? 1 : 0;
  }
  const jar = fetchTlc(root);
  const waiting = runs(readFileSync(join(root, "spec/Seen.tla"), "utf8"), values);
  const count = waiting.length;
  let failures = 0;
  const work = async () => {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
      if (!(await report(jar, run))) failures += 1;
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  console.log(`spec: ${count - failures} of ${count} as expected`);
  return failures === 0 && count > 0 ? 0 : 1;
}

// Without a handler, these signals would leave TLC running.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

main().then(
  (status) => {
    process.exitCode = status;
  },
  (error) => {
    console.error(`spec: ${error.message}`);
    process.exitCode = 1;
  },
);
