import { readFile, writeFile } from "node:fs/promises";
import { type AgentState, agent, connect, type Entities } from "latchkey";
import { type Details, type Fault, Violation } from "../fault.js";
import { audit } from "../servers/audit.js";
import { beside } from "../servers/beside.js";
import { Canary, type CanaryCall } from "../servers/canary.js";
import { doctor } from "../servers/doctor.js";
import type { DataNode } from "../servers/node.js";
import { mendTornFile, tailFile } from "../servers/torn-file.js";
import { chooseCuts } from "./cuts.js";

const WARM = 12;
const CUTS_AS_IT_COMES = 4;
const DEFECT = "PR-4342";
const ALWAYS = { appendonly: "yes", appendfsync: "always" };

/** Where injections of this run have cut so far. */
const cutSoFar = new Set<number>();

/** A file that ends with one whole transaction. */
interface Subject {
  readonly namespace: string;
  readonly file: string;
  readonly bytes: Buffer;
  /** Where the last transaction begins. */
  readonly start: number;
  /** All acknowledged changes before it. */
  readonly calls: readonly CanaryCall[];
}

/**
 * The append-only file ends at any byte of the last transaction, as it may where a write was cut short: what is there
 * of it counts as a whole or not at all, then and after another restart behind further changes.
 */
export const fileCut: Fault = {
  name: "F7 append-only file cut within the last transaction",
  topologies: ["standalone"],
  // On a server of its own.
  loses: false,
  async inject({ folder, random, injectionsLeft }): Promise<Details> {
    return beside(folder, ALWAYS, async (node) => {
      const subject = await prepare(node);
      const places = subject.bytes.length - subject.start + 1;
      const cuts = chooseCuts(places, cutSoFar, injectionsLeft, random);
      for (const cut of cuts) {
        await asAdvised(node, subject, cut);
        cutSoFar.add(cut);
      }
      const damaged: number[] = [];
      for (let times = 0; times < CUTS_AS_IT_COMES; times += 1) {
        const cut = 1 + random.below(places - 2);
        if (await isDamaged(node, subject, cut)) damaged.push(cut);
      }
      const named = await isNamed(node);
      if (damaged.length > 0 && !named) {
        throw new Violation(`cut at ${damaged}, changes are damaged, and the doctor does not name ${DEFECT}`);
      }
      return {
        places,
        cuts: cuts.length,
        cutSoFar: [...cutSoFar].filter((cut) => cut < places).length,
        // The settings as the server brings them, on a version of which the doctor says that this happens.
        ...{
          asItComes: CUTS_AS_IT_COMES,
          damagedByKnownDefect: damaged.length,
          defect: named ? DEFECT : null,
        },
      };
    });
  },
};

const LAST = { id: "last", op: "last-1" };

async function prepare(node: DataNode): Promise<Subject> {
  const canary = await Canary.start({ url: node.url, callers: 1 });
  try {
    await canary.acknowledges(WARM);
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

/** As the doctor advises: a torn file is mended first. Nothing is lost or torn then, on any version. */
async function asAdvised(node: DataNode, subject: Subject, cut: number): Promise<void> {
  await lay(node, subject, cut);
  await mendTornFile(node.dataDir);
  await node.start();
  await expectAll(node, subject, subject.calls, `cut at ${cut}`);
  const calls = await goOn(node, subject);
  await node.kill9();
  await node.start();
  await expectAll(node, subject, calls, `cut at ${cut}, second restart`);
}

/**
 * With the setting that the server comes with. Where a version leaves the torn part in the file, what follows runs into
 * it: everything else must be whole, which shows when that part is taken out again.
 */
async function isDamaged(node: DataNode, subject: Subject, cut: number): Promise<boolean> {
  await lay(node, subject, cut);
  await node.restart({ "aof-load-truncated": "yes" });
  await expectAll(node, subject, subject.calls, `cut at ${cut}, as it comes`);
  const { length } = await readFile(subject.file);
  const calls = await goOn(node, subject);
  await node.restart();
  let damage: Violation | undefined;
  try {
    await expectAll(node, subject, calls, `cut at ${cut}, as it comes, second restart`);
  } catch (error) {
    if (!(error instanceof Violation) || length <= subject.start) throw error;
    damage = error;
  }
  await node.kill9();
  const bytes = await readFile(subject.file);
  await writeFile(subject.file, Buffer.concat([bytes.subarray(0, subject.start), bytes.subarray(length)]));
  await node.restart({ "aof-load-truncated": "no" });
  await expectAll(node, subject, calls, `cut at ${cut}, torn part taken out`);
  return damage !== undefined;
}

async function lay(node: DataNode, { file, bytes, start }: Subject, cut: number): Promise<void> {
  await node.kill9();
  await writeFile(file, bytes.subarray(0, start + cut));
}

/** Makes the last change again, with its op, and another one. Returns all that is acknowledged then. */
async function goOn(node: DataNode, { namespace, calls }: Subject): Promise<CanaryCall[]> {
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

async function isNamed(node: DataNode): Promise<boolean> {
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
