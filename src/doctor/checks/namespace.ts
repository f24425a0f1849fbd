import { countText } from "../../contract/count-text.js";
import { replyCode } from "../../valkey/failure.js";
import { allPartitionKeys, machinesKey, metaKey } from "../../valkey/keys.js";
import { installedMachines, LAYOUT, MAX_PARTITIONS } from "../../valkey/layout.js";
import { type CheckResult, fail, info, type Outcome, ok } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { query } from "../query.js";

/** Checks the metadata of the namespace, and returns its number of partitions if that is valid. */
export async function readNamespace(
  context: DoctorContext,
): Promise<{ outcome: Outcome; partitions?: number }> {
  const { namespace } = context.location;
  const key = metaKey(namespace);
  const client = context.clientOf(key);
  const facts = await query("hmget", () => client.hmget(key, "layout", "partitions")).catch(
    (error: unknown) => {
      if (replyCode(error) === "WRONGTYPE") return undefined;
      throw error;
    },
  );
  if (facts === undefined) {
    const meaning = "all calls fail; latchkey did not write this key";
    const fix = `rename or delete the key, then HSET ${key} layout ${LAYOUT} partitions <number of partitions given to init>`;
    return { outcome: fail(`${key} is not a hash`, meaning, fix) };
  }
  const [layout, count] = facts;
  if (layout == null && count == null) {
    const meaning = "no machine was applied here yet; the first apply initializes it";
    return { outcome: info(`${namespace} is empty`, meaning, "latchkey apply") };
  }
  if (layout !== String(LAYOUT)) {
    const meaning = `another version of latchkey wrote it; this version requires layout ${LAYOUT}`;
    const fix = "use the version of latchkey that wrote it, or another --namespace";
    return { outcome: fail(`${namespace} has layout ${layout ?? "none"}`, meaning, fix) };
  }
  if (count == null) {
    const meaning = "a client stopped while it initialized the namespace; the next one continues";
    return { outcome: info(`${namespace} has no partitions yet`, meaning, "latchkey init") };
  }
  const partitions = /^\d{1,4}$/.test(count) ? Number(count) : 0;
  if (partitions < 1 || partitions > MAX_PARTITIONS) {
    const meaning = "no client can find the partition of an entity; latchkey did not write this";
    const fix = `HSET ${key} partitions <number of partitions given to init>`;
    return { outcome: fail(`${namespace} has "${count}" partitions`, meaning, fix) };
  }
  return {
    outcome: ok(
      `${namespace} has layout ${layout}, ${countText(partitions, "partition")}`,
      "supported by this version",
    ),
    partitions,
  };
}

/** Checks that this version supports the namespace. */
export async function namespace(context: DoctorContext): Promise<Outcome> {
  return (await readNamespace(context)).outcome;
}

/** Checks that each listed machine is installed, and is the same in every partition. */
export async function machines(context: DoctorContext): Promise<CheckResult[]> {
  const { partitions } = await readNamespace(context);
  if (partitions === undefined) return [];
  const { namespace } = context.location;
  const client = context.clientOf(machinesKey(namespace, 0));
  const names = await query("hkeys", () => installedMachines(client, namespace));
  if (names.length === 0) {
    const meaning = "no entity can be created without a machine";
    return [{ id: "machines", ...info("none installed", meaning, "latchkey apply") }];
  }
  return Promise.all(
    names.map(async (name) => ({ id: `machine/${name}`, ...(await installed(context, name, partitions)) })),
  );
}

async function installed(context: DoctorContext, machine: string, partitions: number): Promise<Outcome> {
  const location = { ...context.location, machine, partitions };
  const copies = await query("hmget", () =>
    Promise.all(
      allPartitionKeys(location).map(({ machine: key }) =>
        context.clientOf(key).hmget(key, "layout", "version", "definition"),
      ),
    ),
  );
  const apply = machine === "agent" ? "latchkey apply" : `latchkey apply -f ${machine}.yaml`;
  const absent = copies.flatMap(([, , definition], at) => (definition == null ? [at] : []));
  if (absent.length > 0) {
    const where =
      partitions === absent.length ? "not installed" : `not installed in partition ${numberList(absent)}`;
    return fail(where, "entities there cannot be created or changed: NOMACHINE", apply);
  }
  const foreign = copies.flatMap(([layout], at) => (layout === String(LAYOUT) ? [] : [at]));
  if (foreign.length > 0) {
    const meaning = "the scripts reject it with LAYOUT: another version of latchkey wrote it";
    const fix = "use the version of latchkey that wrote it";
    return fail(`another layout in partition ${numberList(foreign)}`, meaning, fix);
  }
  const versions = [...new Set(copies.map(([, version]) => String(version)))];
  if (new Set(copies.map(([, , definition]) => definition)).size > 1) {
    const meaning =
      "an apply was interrupted, so the definition depends on the partition of an entity; apply the newest version again";
    return fail(`versions ${versions.join(" and ")}, by partition`, meaning, apply);
  }
  return ok(`version ${versions.join()}`, "the same in every partition");
}

function numberList(numbers: readonly number[]): string {
  return numbers.length <= 5
    ? numbers.join(", ")
    : `${numbers.slice(0, 5).join(", ")} and ${numbers.length - 5} more`;
}
