import { readFile, writeFile } from "node:fs/promises";
import { type AgentState, agent, connect, type Entities } from "latchkey";
import { audit } from "../../canary/audit.js";
import { Canary, type CanaryCall } from "../../canary/canary.js";
import { type Details, type Fault, Violation } from "../../fault.js";
import { repairTruncatedFile, tailFile } from "../../servers/append-only-file.js";
import { doctor } from "../../servers/latchkey-command.js";
import type { DataNode } from "../../servers/node.js";
import { withOwnServer } from "../../servers/own-server.js";
import { chooseCuts } from "./cuts.js";

const WARM = 12;
const DEFAULT_CUTS = 4;
const DEFECT = "PR-4342";
const ALWAYS = { appendonly: "yes", appendfsync: "always" };

/** Places at which injections of this run have cut so far. */
const cutSoFar = new Set<number>();

/** A file that ends with one complete transaction. */
interface Subject {
  readonly namespace: string;
  readonly file: string;
  readonly bytes: Buffer;
  /** Position of the last transaction. */
  readonly start: number;
  /** All acknowledged changes before it. */
  readonly calls: readonly CanaryCall[];
}

/**
 * Cuts the append-only file at any byte of the last transaction, as an incomplete write does. The transaction must be
 * applied completely or not at all, also after further changes and another restart.
 */
export const fileCut: Fault = {
  name: "F7 append-only file cut within the last transaction",
  topologies: ["standalone"],
  // It has its own server.
  loses: false,
  async inject({ folder, random, injectionsLeft }): Promise<Details> {
    return withOwnServer(folder, ALWAYS, async (node) => {
      const subject = await prepare(node);
      const places = subject.bytes.length - subject.start + 1;
      const cuts = chooseCuts(places, cutSoFar, injectionsLeft, random);
      for (const cut of cuts) {
        await checkRepaired(node, subject, cut);
        cutSoFar.add(cut);
      }
      const damaged: number[] = [];
      for (let times = 0; times < DEFAULT_CUTS; times += 1) {
        const cut = 1 + random.below(places - 2);
        if (await isDamaged(node, subject, cut)) damaged.push(cut);
      }
      const isKnown = await isReported(node);
      if (damaged.length > 0 && !isKnown) {
        throw new Violation(
          `cut at ${damaged}, changes are damaged, but the doctor does not report ${DEFECT}`,
        );
      }
      return {
        places,
        cuts: cuts.length,
        cutSoFar: [...cutSoFar].filter((cut) => cut < places).length,
        // These used the default settings, on a version for which the doctor names this defect.
        ...{
          withDefaults: DEFAULT_CUTS,
          damagedByKnownDefect: damaged.length,
          defect: isKnown ? DEFECT : null,
        },
      };
    });
  },
};

const LAST = { id: "last", op: "last-1" };

async function prepare(node: DataNode): Promise<Subject> {
  const canary = await Canary.start({ url: node.url, callers: 1 });
  try {
    await canary.awaitChanges(WARM);
  } finally {
    await canary.stop();
  }
  const { namespace } = canary;
  const first = await withAgents(node, namespace, async (agents) => {
    const { version } = await agents.create(LAST.id, {}, { op: "last-0" });
    return acknowledged(LAST.id, "last-0", version);
  });
  const file = await tailFile(node.dataDir);
  const { length: start } = await readFile(file);
  await withAgents(node, namespace, (agents) => agents.transition(LAST.id, "running", { op: LAST.op }));
  await node.kill9();
  return { namespace, file, start, bytes: await readFile(file), calls: [...canary.calls, first] };
}

/** Follows the doctor: the truncated file is repaired first. Nothing is then lost or inconsistent, on any version. */
async function checkRepaired(node: DataNode, subject: Subject, cut: number): Promise<void> {
  await install(node, subject, cut);
  await repairTruncatedFile(node.dataDir);
  await node.start();
  await expectAll(node, subject, subject.calls, `cut at ${cut}`);
  const calls = await makeChanges(node, subject);
  await node.kill9();
  await node.start();
  await expectAll(node, subject, calls, `cut at ${cut}, second restart`);
}

/**
 * Uses the default setting. If a version leaves the incomplete part in the file, later changes collide with it.
 * Everything else must be intact, which shows when that part is removed.
 */
async function isDamaged(node: DataNode, subject: Subject, cut: number): Promise<boolean> {
  await install(node, subject, cut);
  await node.restart({ "aof-load-truncated": "yes" });
  await expectAll(node, subject, subject.calls, `cut at ${cut}, default settings`);
  const { length } = await readFile(subject.file);
  const calls = await makeChanges(node, subject);
  await node.restart();
  let damage: Violation | undefined;
  try {
    await expectAll(node, subject, calls, `cut at ${cut}, default settings, second restart`);
  } catch (error) {
    if (!(error instanceof Violation) || length <= subject.start) throw error;
    damage = error;
  }
  await node.kill9();
  const bytes = await readFile(subject.file);
  await writeFile(subject.file, Buffer.concat([bytes.subarray(0, subject.start), bytes.subarray(length)]));
  await node.restart({ "aof-load-truncated": "no" });
  await expectAll(node, subject, calls, `cut at ${cut}, incomplete part removed`);
  return damage !== undefined;
}

async function install(node: DataNode, { file, bytes, start }: Subject, cut: number): Promise<void> {
  await node.kill9();
  await writeFile(file, bytes.subarray(0, start + cut));
}

/** Retries the last change with its idempotency key, and makes another one. Returns all acknowledged changes. */
async function makeChanges(node: DataNode, { namespace, calls }: Subject): Promise<CanaryCall[]> {
  return withAgents(node, namespace, async (agents) => {
    const { version, opVersion } = await agents.transition(LAST.id, "running", { op: LAST.op });
    const other = await agents.create("other", {}, { op: "other-0" });
    const more = [
      acknowledged(LAST.id, LAST.op, opVersion ?? version),
      acknowledged("other", "other-0", other.version),
    ];
    return [...calls, ...more];
  });
}

async function expectAll(
  node: DataNode,
  { namespace }: Subject,
  calls: readonly CanaryCall[],
  when: string,
): Promise<void> {
  const { lost } = await audit(node.admin, { namespace, calls }, performance.now());
  if (lost > 0) throw new Violation(`${when}: ${lost} acknowledged changes are lost`);
}

async function isReported(node: DataNode): Promise<boolean> {
  return (await doctor(node.url)).some(({ id, level }) => id === `defect/${DEFECT}` && level === "fail");
}

async function withAgents<T>(
  { url }: DataNode,
  namespace: string,
  body: (agents: Entities<AgentState>) => Promise<T>,
): Promise<T> {
  const latchkey = await connect({ url, namespace });
  try {
    return await body(await latchkey.machine(agent()));
  } finally {
    await latchkey.close();
  }
}

function acknowledged(id: string, op: string, version: number): CanaryCall {
  return { id, op, outcome: "OK", version, at: performance.now() };
}
