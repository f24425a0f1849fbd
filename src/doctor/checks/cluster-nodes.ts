import { countText } from "../../contract/count-text.js";
import { type CheckResult, fail, type Outcome, ok, warn } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { type Member, reasonText } from "../members.js";
import { combineReports, isDead, type NodeState } from "../node-states.js";
import { unlessDenied } from "../query.js";

/** Describes one node of a cluster, from here and as the other nodes report it. */
interface Node {
  readonly name: string;
  /** Undefined if it has no address. */
  readonly member: Member<DoctorContext> | undefined;
  /** Undefined if the user lacks a permission. */
  readonly state: NodeState | undefined;
  readonly isPrimary: boolean;
}

/** Checks that all nodes of a cluster can be reached, from here and from each other. */
export async function clusterNodes(context: DoctorContext): Promise<CheckResult[]> {
  if (!context.connection.isCluster) return [];
  const members = await context.members();
  const reports = (await unlessDenied(context.reports())) ?? [];
  const states = combineReports(reports);
  const { map } = await context.view();
  const unreported = members.filter(({ name }) => states.every((state) => state.name !== name));
  const nodes: readonly Node[] = [
    ...states.map((state) => {
      const { name, slots } = state;
      return { name, state, isPrimary: slots > 0, member: members.find((one) => one.name === name) };
    }),
    ...unreported.map((member) => {
      const { name } = member;
      return { name, state: undefined, isPrimary: map.primaries.has(name), member };
    }),
  ];
  const bad = nodes.filter(
    ({ member, state }) => member?.error !== undefined || state?.trouble !== undefined,
  );
  const [from] = await context.servers();
  const judge = (node: Node): Outcome => judgeNode(node, states, reports.length, from?.name ?? "");
  if (bad.length > 0) return bad.map((node) => ({ id: "cluster/nodes", ...judge(node) }));
  const status = `${countText(nodes.length, "node")}, all reachable`;
  return [{ id: "cluster/nodes", ...ok(status, "a client can follow every failover") }];
}

function judgeNode(node: Node, states: readonly NodeState[], total: number, from: string): Outcome {
  const { name, member, state, isPrimary } = node;
  const { trouble } = state ?? {};
  const error = member?.error;
  const parts = [
    ...(error === undefined ? [] : [`not reachable from here: ${reasonText(error)}`]),
    ...(trouble === undefined
      ? []
      : [
          `reported as ${trouble.flag} by ${trouble.reporters.length === total ? "all primaries" : trouble.reporters.join(", ")}`,
        ]),
  ];
  const status = `${name} (${workOf(node, states)}) ${parts.join("; ")}`;
  const meaning = meaningOf(node);
  const level = isPrimary && (error !== undefined || trouble?.flag === "fail") ? fail : warn;
  return level(status, meaning, fixOf(node, from));
}

function workOf({ state, isPrimary }: Node, states: readonly NodeState[]): string {
  if (state === undefined) return isPrimary ? "primary" : "replica";
  if (state.primary !== undefined) {
    const primary = states.find(({ id }) => id === state.primary);
    return `replica of ${primary?.name ?? state.primary}`;
  }
  if (state.slots > 0) return `primary of ${countText(state.slots, "slot")}`;
  return state.flags.has("handshake") ? "not a member yet" : "primary without slots";
}

function meaningOf({ name, member, state, isPrimary }: Node): string {
  if (isPrimary && (member?.error !== undefined || state?.trouble?.flag === "fail"))
    return `clients like this one cannot use the partitions of ${name}`;
  if (member?.error !== undefined && state?.trouble === undefined)
    return "after a failover to such a node, clients like this one cannot reach its partitions";
  if (state !== undefined && state.address === undefined)
    return "no node knows its address; perhaps another node has it now";
  if (state?.primary !== undefined) return "its primary has one replica less";
  if (isPrimary) return "some nodes do not hear from it; if most of them agree, its replica replaces it";
  if (state?.flags.has("handshake") === true) return "it was introduced to the cluster, and does not reply";
  return "it serves nothing; perhaps it is a former primary that a replica has replaced";
}

function fixOf({ name, member, state, isPrimary }: Node, from: string): string {
  const reason = member?.error?.reason;
  if (reason === "auth") return "create the user on this node too: Valkey does not distribute users";
  if (reason === "permission")
    return "grant this user the same permissions on each node: Valkey does not distribute users";
  if (state?.trouble === undefined)
    return `start ${name}, or correct cluster-announce-ip, the firewall or its users`;
  if (member?.error === undefined && member !== undefined && !isDead(state))
    return `check the network between the nodes, also the port of the cluster bus of ${name}`;
  if (state.flags.has("handshake"))
    return `start ${name}, or open the port of its cluster bus; the nodes forget it if it never replies`;
  const forget = `valkey-cli --cluster call ${from} CLUSTER FORGET ${state.id}`;
  if (state.address === undefined && !isPrimary) return forget;
  if (isPrimary) return `start ${name} again; see cluster/slots for other ways`;
  return `start ${name} again. If it is gone for good: ${forget}`;
}
