import { expect, it } from "vitest";
import { Outage } from "../../src/events/outage.js";
import { silentLogger } from "../../src/valkey/logger.js";

function serverAt(port: number) {
  const address = `valkey://127.0.0.1:${port}`;
  return { address, place: { server: address } };
}

it("reports a server again that was back and is away once more, while another one is still away", () => {
  const news: string[] = [];
  const outage = new Outage(
    { connection: { logger: silentLogger }, location: { machine: "dial" } },
    { onAway: ({ message }) => void news.push(message), onBack: () => void news.push("back") },
  );
  const [first, second] = [serverAt(7001), serverAt(7002)];
  for (const partition of [0, 1]) outage.begin(partition, first);
  outage.begin(2, second);
  outage.end(0);
  outage.begin(0, first); // its other partition was away all the time
  expect(news).toEqual([expect.stringContaining(first.address), expect.stringContaining(second.address)]);
  for (const partition of [0, 1]) outage.end(partition);
  outage.begin(1, first);
  expect(news.slice(2)).toEqual([expect.stringContaining(first.address)]);
  for (const partition of [1, 2]) outage.end(partition);
  expect(news.slice(3)).toEqual(["back"]);
});

it("logs a warning that names the server if nobody listens", () => {
  const warnings: object[] = [];
  const logger = { ...silentLogger, warn: (...words: unknown[]) => void warnings.push(words) };
  const outage = new Outage({ connection: { logger }, location: { machine: "dial" } }, {});
  const { address, place } = serverAt(7001);
  outage.begin(0, { address, place });
  outage.begin(1, { address, place });
  const text = expect.stringContaining("some events of dial are delivered later");
  expect(warnings).toEqual([[{ machine: "dial", server: address }, text]]);
});
