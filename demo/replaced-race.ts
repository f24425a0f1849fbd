import { Valkey } from "iovalkey";
import { plainUrl } from "./address.js";
import { Control } from "./control.js";
import { groupBy } from "./evidence.js";
import type { FirstFailure } from "./failure.js";
import type { Call, Credentials } from "./messages.js";
import { planReplacedTasks } from "./plan.js";
import { type AgentEvent, ReplacedService, type StoredAgent } from "./replaced-service.js";
import type { Paint } from "./show.js";

/** Result of the race with the replaced service. */
export interface ReplacedReport {
  readonly agents: number;
  /** Transitions that more than one replica believes to have made. */
  readonly wonTwice: number;
  /** Agents with more than one end, whose session was cleaned up more than once. */
  readonly endedTwice: number;
  /** Published ends that the stored state contradicts. */
  readonly contradictions: number;
}

const ENDS = new Set(["completed", "failed", "killed"]);
const BATCH = 500;

/**
 * Races replicas over real processes with the replaced service, and counts what goes wrong. Its keys are removed at the
 * end.
 *
 * @param prefix start of its keys, used by nobody else
 */
export async function runReplacedRace(
  credentials: Credentials,
  prefix: string,
  agents: number,
  replicas: readonly string[],
  failure: FirstFailure,
): Promise<ReplacedReport> {
  const tasks = planReplacedTasks(agents, replicas);
  const { url, password } = credentials;
  const client = new Valkey(plainUrl(url), { ...(password !== undefined && { password }) });
  client.on("error", (error) => failure.report(error));
  const subscriber = client.duplicate();
  subscriber.on("error", (error) => failure.report(error));
  const control = new Control(
    { tasks, replicas, isFinal: (state) => ENDS.has(state) },
    { fail: (cause) => failure.report(cause) },
  );
  try {
    const service = new ReplacedService(client, { prefix });
    const events: AgentEvent[] = [];
    const reasons = new Map(tasks.map(({ id, killReason }) => [id, killReason]));
    subscriber.on("message", (_channel: string, text: string) => {
      const event = JSON.parse(text) as AgentEvent;
      const isFirst = !events.some(({ type, agentId }) => type === event.type && agentId === event.agentId);
      events.push(event);
      const reason = reasons.get(event.agentId);
      if (event.type === "agent.running" && reason !== undefined && isFirst)
        control.orderKill(event.agentId, reason);
    });
    await failure.orElse(subscriber.subscribe(service.channel));
    control.fleet.start("replaced", credentials, prefix);
    await failure.orElse(control.ready);
    control.fleet.begin(0);
    await failure.orElse(control.run());
    await failure.orElse(subscriber.subscribe(service.channel)); // the reply comes after all messages
    const stored = await failure.orElse(service.listAgentLifecycleStates());
    return count(agents, control.tally.calls, events, stored);
  } finally {
    await control.stop();
    const keys = tasks.map(({ id }) => `${prefix}:agent:${id}`);
    for (let at = 0; at < keys.length; at += BATCH)
      await client.unlink(...keys.slice(at, at + BATCH)).catch(() => {});
    subscriber.disconnect();
    client.disconnect();
  }
}

/** Counts double wins, double ends and events that contradict the stored state. */
export function count(
  agents: number,
  calls: readonly Call[],
  events: readonly AgentEvent[],
  stored: readonly StoredAgent[],
): ReplacedReport {
  const wins = calls.filter(({ outcome }) => outcome === "OK");
  const transitions = groupBy(wins, ({ id, to }) => `${id} ${to}`);
  const stateOf = (event: AgentEvent): string => event.type.replace("agent.", "");
  const histories = groupBy(events, ({ agentId }) => agentId);
  const final = new Map(stored.map(({ agentId, status }) => [agentId, status]));
  let endedTwice = 0;
  let contradictions = 0;
  for (const [id, history] of histories) {
    const ends = history.map(stateOf).filter((state) => ENDS.has(state));
    if (ends.length > 1) endedTwice += 1;
    contradictions += ends.filter((state) => state !== final.get(id)).length;
  }
  const wonTwice = [...transitions.values()].filter(({ length }) => length > 1).length;
  return { agents, wonTwice, endedTwice, contradictions };
}

/** Renders the result, in red if something went wrong. */
export function replacedText(report: ReplacedReport, { red, dim }: Paint): string[] {
  const line = (n: number, text: string): string => {
    const shown = `${String(n).padStart(5)}  ${text}`;
    return n > 0 ? red(shown) : dim(shown);
  };
  return [
    line(report.wonTwice, "transitions were won by more than one replica"),
    line(report.endedTwice, `of ${report.agents} agents ended more than once: their cleanup ran twice`),
    line(report.contradictions, "events report an end that the stored state contradicts"),
  ];
}
