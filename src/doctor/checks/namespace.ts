import { metaKey, partitionKeys } from "../../valkey/keys.js";
import { LAYOUT, MAX_PARTITIONS, notedMachines } from "../../valkey/layout.js";
import type { DoctorContext } from "../context.js";
import type { Finding } from "../finding.js";
import { look } from "../not-allowed.js";

/** The partitions of the namespace where they are known and sound; else what is wrong with it. */
async function readNamespace(context: DoctorContext): Promise<{ finding: Finding; partitions?: number }> {
  const id = "namespace";
  const { namespace } = context.location;
  const { client } = context.connection;
  const [layout, count] = await look("hmget", () => client.hmget(metaKey(namespace), "layout", "partitions"));
  if (layout == null && count == null) {
    const means = "nothing was ever applied here; the first apply prepares it";
    return { finding: { id, level: "note", seen: `${namespace} is fresh`, means, mend: "latchkey apply" } };
  }
  if (layout !== String(LAYOUT)) {
    const means = `another version of latchkey wrote it; this one works with layout ${LAYOUT} and refuses to touch it`;
    const mend = "use the version of latchkey that wrote it, or another --namespace";
    return {
      finding: { id, level: "bad", seen: `${namespace} has layout ${layout ?? "none"}`, means, mend },
    };
  }
  if (count == null) {
    const means = "a client ended while it prepared the namespace; the next one goes on";
    return {
      finding: {
        id,
        level: "note",
        seen: `${namespace} has no partitions yet`,
        means,
        mend: "latchkey init",
      },
    };
  }
  const partitions = /^\d{1,4}$/.test(count) ? Number(count) : 0;
  if (partitions < 1 || partitions > MAX_PARTITIONS) {
    const means = "no client can tell where an entity lives: something other than latchkey wrote this";
    const mend = `HSET ${metaKey(namespace)} partitions <the number it was initialised with>`;
    return { finding: { id, level: "bad", seen: `${namespace} has "${count}" partitions`, means, mend } };
  }
  const parts = partitions === 1 ? "1 partition" : `${partitions} partitions`;
  const seen = `${namespace} has layout ${layout}, ${parts}`;
  return { finding: { id, level: "ok", seen, means: "this version can work with it" }, partitions };
}

/** Whether the namespace was written by a version that this one understands. */
export async function namespace(context: DoctorContext): Promise<Finding> {
  return (await readNamespace(context)).finding;
}

/** Whether each machine that was ever installed is, and in every partition the same. */
export async function machines(context: DoctorContext): Promise<Finding[]> {
  const { partitions } = await readNamespace(context);
  if (partitions === undefined) return [];
  const { client } = context.connection;
  const noted = await look("hkeys", () => notedMachines(client, context.location.namespace));
  if (noted.length === 0) {
    const means = "there is nothing to create entities by";
    return [{ id: "machines", level: "note", seen: "none installed", means, mend: "latchkey apply" }];
  }
  return Promise.all(noted.map((machine) => installed(context, machine, partitions)));
}

async function installed(context: DoctorContext, machine: string, partitions: number): Promise<Finding> {
  const id = `machine/${machine}`;
  const location = { ...context.location, machine, partitions };
  const { client } = context.connection;
  const parts = await look("hmget", () =>
    Promise.all(
      Array.from({ length: partitions }, (_, at) =>
        client.hmget(partitionKeys(location, at).machine, "layout", "version", "definition"),
      ),
    ),
  );
  const apply = machine === "agent" ? "latchkey apply" : `latchkey apply -f ${machine}.yaml`;
  const lacking = parts.flatMap(([, , definition], at) => (definition == null ? [at] : []));
  if (lacking.length > 0) {
    const seen = partitions === lacking.length ? "is not there" : `is not in partition ${some(lacking)}`;
    const means = "entities of those partitions can't be created or changed: NOMACHINE";
    return { id, level: "bad", seen, means, mend: apply };
  }
  const foreign = parts.flatMap(([layout], at) => (layout === String(LAYOUT) ? [] : [at]));
  if (foreign.length > 0) {
    const means = "the scripts refuse it with LAYOUT: another version of latchkey wrote it";
    return {
      id,
      level: "bad",
      seen: `another layout in partition ${some(foreign)}`,
      means,
      mend: "use the version of latchkey that wrote it",
    };
  }
  const versions = [...new Set(parts.map(([, version]) => String(version)))];
  const definitions = new Set(parts.map(([, , definition]) => definition));
  if (definitions.size > 1) {
    const means =
      "an apply was broken off: entities are judged by different rules, depending on their id; apply the newest version again";
    return {
      id,
      level: "bad",
      seen: `versions ${versions.join(" and ")}, by partition`,
      means,
      mend: apply,
    };
  }
  return { id, level: "ok", seen: `version ${versions.join()}`, means: "it is the same in every partition" };
}

function some(numbers: readonly number[]): string {
  return numbers.length <= 5
    ? numbers.join(", ")
    : `${numbers.slice(0, 5).join(", ")} and ${numbers.length - 5} more`;
}
