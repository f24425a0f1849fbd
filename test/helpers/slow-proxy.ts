import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { root } from "./built.js";

/**
 * Starts the proxy of the benchmark for this test. It makes a server slow.
 *
 * @param rate number of requests that it passes on per second
 * @returns its URL
 */
export async function startSlowProxy({ port }: { readonly port: number }, rate: number): Promise<string> {
  const proxy = fork(join(root, "bench/backlog/slow-proxy.mjs"), [String(port), String(rate)]);
  onTestFinished(() => proxy.disconnect());
  const [own] = await once(proxy, "message");
  return `valkey://127.0.0.1:${own}`;
}
