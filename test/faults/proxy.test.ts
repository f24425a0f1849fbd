import { once } from "node:events";
import { Valkey } from "iovalkey";
import { describe, expect, it, onTestFinished } from "vitest";
import type { OnCopy } from "../../faults/proxy/copies.js";
import { Framer } from "../../faults/proxy/framer.js";
import { openProxy } from "../../faults/proxy/open.js";
import type { NodeProxy, Treatment } from "../../faults/proxy/proxy.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

/** Opens a proxy in front of this test's server, with connections through it and around it. */
async function proxied(): Promise<{ proxy: NodeProxy; through: (name: string) => Valkey; direct: Valkey }> {
  const { host, port } = await useValkey();
  const proxy = await openProxy(port);
  onTestFinished(() => proxy.close());
  const open = (to: number, connectionName: string): Valkey => {
    const valkey = new Valkey({
      host,
      port: to,
      connectionName,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    });
    valkey.on("error", () => {}); // calls report it
    onTestFinished(() => valkey.disconnect());
    return valkey;
  };
  return { proxy, through: (name) => open(proxy.port, name), direct: open(port, "direct") };
}

const INCR = "return redis.call('INCR', KEYS[1])";

/** Loads a script, and connects a client whose handshake is complete. */
async function ready(valkey: Valkey): Promise<string> {
  const sha = (await valkey.script("LOAD", INCR)) as string;
  for (let i = 0; i < 3; i += 1) await valkey.ping();
  return sha;
}

it("discards a reply after the request was executed, and closes the connection", async () => {
  const { proxy, through, direct } = await proxied();
  const valkey = through("a");
  const key = freshNamespace();
  const sha = await ready(valkey);
  proxy.treat({ dropReply: 1 }, 1);
  await expect(valkey.evalsha(sha, 1, key)).rejects.toThrow(/closed|retries/);
  expect(await direct.get(key)).toBe("1");
  expect(proxy.hits.dropReply).toBe(1);
});

it.each(["dropRequest", "resetMidRequest"] as const)("does not deliver a request: %s", async (kind) => {
  const { proxy, through, direct } = await proxied();
  const valkey = through("a");
  const key = freshNamespace();
  const sha = await ready(valkey);
  proxy.treat({ [kind]: 1 }, 1);
  await expect(valkey.evalsha(sha, 1, key)).rejects.toThrow(/closed|retries/);
  expect(await direct.get(key)).toBeNull();
  expect(proxy.hits[kind]).toBe(1);
});

it("delivers a script call twice, and returns one reply", async () => {
  const { proxy, through, direct } = await proxied();
  const valkey = through("a");
  const key = freshNamespace();
  const sha = await ready(valkey);
  proxy.treat({ duplicate: 1 }, 1);
  expect(await valkey.evalsha(sha, 1, key)).toBe(1);
  expect(await valkey.echo("in step")).toBe("in step");
  expect(await direct.get(key)).toBe("2");
});

describe("a copy of a script call", () => {
  /** Delivers copies as configured, and collects them with the replies that no client gets. */
  async function copied(treatment: Treatment) {
    const { proxy, through, direct } = await proxied();
    const valkey = through("a");
    const key = freshNamespace();
    const sha = await ready(valkey);
    const copies: { readonly request: readonly string[]; reply?: string }[] = [];
    const onCopy: OnCopy = (request) => {
      const copy: (typeof copies)[number] = { request };
      copies.push(copy);
      return (reply) => {
        copy.reply = reply.toString();
      };
    };
    proxy.treat({ ...treatment, resending: { onCopy, longestMs: 20 } }, 1);
    return { valkey, direct, key, sha, copies, proxy };
  }

  it.each([
    ["later on the same connection", { resend: 1 }],
    ["on another connection", { resendElsewhere: 1 }],
  ])("is delivered %s, and its reply reaches no client", async (_, treatment) => {
    const { valkey, direct, key, sha, copies } = await copied(treatment);
    const reply = Number(await valkey.evalsha(sha, 1, key));
    const request = ["evalsha", sha, "1", key];
    await expect.poll(() => copies).toEqual([{ request, reply: `:${3 - reply}\r\n` }]);
    expect(await direct.get(key)).toBe("2");
    expect(await valkey.echo("in step")).toBe("in step");
  });

  it("is delivered after its connection closed", async () => {
    const { valkey, direct, key, sha, copies, proxy } = await copied({ strand: 1 });
    await expect(valkey.evalsha(sha, 1, key)).rejects.toThrow(/closed|retries/);
    await expect.poll(() => copies[0]?.reply).toBe(":1\r\n");
    expect(await direct.get(key)).toBe("1");
    expect(proxy.hits.strand).toBe(1);
  });
});

it("treats only the selected clients, and closes silent connections at the end", async () => {
  const { proxy, through } = await proxied();
  const [near, far] = [through("near"), through("far")];
  await Promise.all([ready(near), ready(far)]);
  proxy.treat({ partition: true }, 1, (name) => name === "far");
  const silent = far.ping().catch((error: unknown) => error);
  expect(await near.ping()).toBe("PONG");
  proxy.heal();
  expect(await silent).toBeInstanceOf(Error);
  expect(await near.ping()).toBe("PONG");
});

it("forwards every byte in order when it is slow", async () => {
  const { proxy, through } = await proxied();
  const valkey = through("a");
  await ready(valkey);
  proxy.treat({ delayMs: 3, dripBytes: 40 }, 1);
  const texts = Array.from({ length: 20 }, (_, i) => `${i}`.repeat(50));
  expect(await Promise.all(texts.map((text) => valkey.echo(text)))).toEqual(texts);
  proxy.heal();
  expect(await valkey.echo("fast again")).toBe("fast again");
});

it("closes its connections when it is closed", async () => {
  const { proxy, through } = await proxied();
  const valkey = through("a");
  await ready(valkey);
  const ended = once(valkey, "end");
  proxy.cut((name) => name === "somebody else");
  expect(await valkey.ping()).toBe("PONG");
  proxy.cut();
  await ended;
});

it("finds the ends of values wherever the pieces are split", () => {
  const values = [
    "*3\r\n$7\r\nEVALSHA\r\n$0\r\n\r\n$6\r\na\r\nb\rc\r\n",
    "+OK\r\n",
    "-ERR no\r\n",
    ":12\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "*2\r\n*1\r\n$1\r\nx\r\n*0\r\n",
  ];
  const whole = Buffer.from(values.join(""));
  for (let size = 1; size <= whole.length; size += 1) {
    const framer = new Framer();
    const found: string[] = [];
    for (let at = 0; at < whole.length; at += size) {
      found.push(...framer.push(whole.subarray(at, at + size)).map(String));
    }
    expect(found).toEqual(values);
  }
});
