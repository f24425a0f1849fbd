import { expect, it } from "vitest";
import { agent, OutcomeUnknownError } from "../../src/index.js";
import { startValkey } from "../../src/testing/index.js";
import { client, rejectionOf } from "../helpers/client.js";
import { startProxy } from "../helpers/proxy.js";
import { recordingLogger } from "../helpers/secrets.js";
import { useValkey } from "../helpers/valkey.js";

/** A client behind a proxy, and what it logs of its connections. */
async function logged() {
  const proxy = await startProxy(await useValkey());
  const { logger, lines } = recordingLogger();
  const latchkey = await client({ url: proxy.url, logger, connectionName: "replica-1" });
  const told = () =>
    lines
      .map((line) => JSON.parse(line))
      .filter(({ msg }) => /connection lost|connected again/.test(msg))
      .map(({ level, msg, address, connection }) => ({ level, msg, address, connection }));
  return { proxy, latchkey, told, lines };
}

it("logs that a connection was lost, and which one, and that it is back", async () => {
  const { proxy, latchkey, told } = await logged();
  const agents = await latchkey.machine(agent());
  await agents.subscribe(() => {});
  proxy.cut();
  await expect.poll(() => told().length).toBe(4);
  for (const connection of ["replica-1", "latchkey-subscribe"]) {
    const about = { address: proxy.url, connection };
    expect(told().filter((line) => line.connection === connection)).toEqual([
      { level: 40, msg: "connection lost, connecting again", ...about },
      { level: 30, msg: "connected again", ...about },
    ]);
  }
});

it("logs no loss of a connection that was closed on purpose", async () => {
  const { latchkey, told } = await logged();
  const agents = await latchkey.machine(agent());
  const subscription = await agents.subscribe(() => {});
  await subscription.close();
  await latchkey.close();
  const later = await logged();
  later.proxy.cut();
  await expect.poll(() => later.told().length).toBe(2);
  expect(told()).toEqual([]);
});

it("logs a call whose reply was lost, with its idempotency key", async () => {
  const { proxy, latchkey, lines } = await logged();
  const agents = await latchkey.machine(agent());
  await agents.create("a1");
  proxy.shut(true);
  proxy.dropReply("evalsha");
  const call = agents.transition("a1", "running", { timeout: "500ms" });
  const { op, message } = await rejectionOf(OutcomeUnknownError, call);
  expect(message).toContain("transition agent a1: the reply was lost, and ");
  const again = lines.map((line) => JSON.parse(line)).filter(({ msg }) => /^retrying/.test(msg));
  expect(again[0]).toMatchObject({ level: 20, msg: "retrying transition agent a1", failed: 1 });
  const failed = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "transition failed");
  expect(failed).toMatchObject([{ level: 40, machine: "agent", id: "a1", op, error: message }]);
});

it("logs each cause of a failed connection once, and its repetitions as debug lines", async () => {
  const server = await startValkey();
  const { logger, lines } = recordingLogger();
  await client({ url: server.url, logger });
  await server.stop();
  const errors = () => lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "connection error");
  await expect.poll(() => errors().filter(({ level }) => level === 20).length).toBeGreaterThanOrEqual(3);
  const causes = errors().flatMap(({ level, error }) => (level === 40 ? [error] : []));
  expect(causes.length).toBeGreaterThan(0);
  expect(new Set(causes).size).toBe(causes.length);
});
