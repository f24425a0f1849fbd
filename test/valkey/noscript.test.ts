import { expect, it, onTestFinished } from "vitest";
import { agent } from "../../src/index.js";
import { startValkey } from "../../src/testing/index.js";
import { connection } from "../helpers/calls.js";
import { agents, client } from "../helpers/client.js";

it("works after the server forgot its scripts, at every call", async () => {
  const flusher = await connection();
  const ours = await agents();
  const calls = [
    () => ours.create("a1"),
    () => ours.patch("a1", { set: { n: 1 } }),
    () => ours.transition("a1", "running"),
    () => ours.transition("a1", "completed"),
    () => ours.remove("a1"),
  ];
  for (const [at, call] of calls.entries()) {
    await flusher.script("FLUSH");
    expect(await call()).toMatchObject({ version: at + 1 });
  }
});

it("executes a burst of calls once each when none of them finds its script", async () => {
  const ours = await agents();
  await ours.create("a1");
  await (await connection()).script("FLUSH");
  await Promise.all(Array.from({ length: 50 }, (_, n) => ours.patch("a1", { set: { n } })));
  expect(await ours.get("a1")).toMatchObject({ version: 51 });
});

it("works while the server forgets its scripts again and again", async () => {
  const flusher = await connection();
  const ours = await agents();
  await ours.create("a1");
  let isOver = false;
  const flushing = (async () => {
    let flushed = 0;
    for (; !isOver; flushed++) {
      await flusher.script("FLUSH");
      for (let pings = 0; pings < 10; pings++) await flusher.ping();
    }
    return flushed;
  })();
  for (let n = 0; n < 200; n++) await ours.patch("a1", { set: { n } });
  isOver = true;
  expect(await flushing).toBeGreaterThan(3);
  expect(await ours.get("a1")).toMatchObject({ version: 201, n: 199 });
});

it("loads a script once for all calls that wait for it", async () => {
  const server = await startValkey();
  onTestFinished(() => server.stop());
  const latchkey = await client({ url: server.url, timeout: "1m" });
  const ours = await latchkey.machine(agent());
  const admin = await connection(undefined, server);
  await admin.script("FLUSH");
  await admin.config("RESETSTAT");
  await Promise.all(Array.from({ length: 2_000 }, (_, at) => ours.create(`a${at}`)));
  expect(await admin.info("commandstats")).toMatch(/cmdstat_script\|load:calls=1,/);
});
