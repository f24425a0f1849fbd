import { expect } from "vitest";
import { agent, type Entities, type Latchkey } from "../../src/index.js";
import { scripts } from "../../src/lua/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { admin } from "./calls.js";
import { client } from "./client.js";
import { startProxy, type TcpProxy } from "./proxy.js";
import { useValkey } from "./valkey.js";

/** Agents that are reached through a proxy, which can lose requests and replies, and without it. */
export interface Behind {
  /** Through the proxy. */
  readonly far: Entities<AgentState>;
  /** Straight to the server, in the same namespace. */
  readonly near: Entities<AgentState>;
  readonly proxy: TcpProxy;
  readonly straight: Latchkey;
  readonly namespace: string;
}

export async function behindProxy(silenceTimeoutMs = 5_000): Promise<Behind> {
  const proxy = await startProxy(await useValkey());
  // So that the reply that is lost is the script's own, and not NOSCRIPT.
  for (const { text } of Object.values(scripts)) await (await admin()).script("LOAD", text);
  const straight = await client();
  const near = await straight.machine(agent());
  const { namespace } = straight;
  const latchkey = await client({ url: proxy.url, namespace, silenceTimeoutMs });
  return { far: await latchkey.machine(agent()), near, proxy, straight, namespace };
}

/** Changes an agent so often that it forgets all earlier idempotency keys. */
export async function pushOut(entities: Entities<AgentState>, id: string): Promise<void> {
  for (let n = 0; n < 41; n++) await entities.patch(id, { set: { n } });
}

/** Trims all of the event log away. */
export async function forgetLog(namespace: string): Promise<void> {
  await (await admin()).xtrim(`{${namespace}:0}:agent:events`, "MAXLEN", 0);
}

/** The server's time in ms. */
export async function serverMs(): Promise<number> {
  const [seconds, micros] = await (await admin()).time();
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

/** Settles when the server's clock is past a time in ms. */
export async function pastServerTime(ms: number): Promise<void> {
  await expect.poll(serverMs, { interval: 10 }).toBeGreaterThan(ms);
}
