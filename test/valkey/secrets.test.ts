import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import type { Valkey } from "iovalkey";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  AlreadyExistsError,
  agent,
  type ConnectOptions,
  connect,
  type Latchkey,
  type MachineDefinition,
  MachineInUseError,
  NotDurableError,
  RejectedError,
} from "../../src/index.js";
import { freePort } from "../../src/server/port.js";
import { certificate } from "../helpers/certificates.js";
import { all, rejection, rejectionOf } from "../helpers/client.js";
import { adminOf, startWithPassword } from "../helpers/doctor.js";
import { startProxy, type TcpProxy } from "../helpers/proxy.js";
import { allTextsOf, expectNoSecrets, recordingLogger, secretsIn } from "../helpers/secrets.js";
import { hasWaitaof, readsOutOfMemory } from "../helpers/server-program.js";
import { freshNamespace } from "../helpers/valkey.js";

const IN_URL = 'plantedInUrl:/@%"1';
const IN_OPTIONS = 'plantedInOptions:/@%"2';
const WRONG = 'plantedWrong:/@%"3';
const LATER = 'plantedLater:/@%"4';
const OWN_VALUE = 'plantedOwnValue "5"';
const SET_BY_MACHINE = 'plantedDefinition "6"';
const SECRETS = [IN_URL, IN_OPTIONS, WRONG, LATER, OWN_VALUE, SET_BY_MACHINE];

/** Something that the machine itself sets, in a definition that differs from the one installed. */
const different: MachineDefinition = {
  ...agent(),
  states: {
    ...agent().states,
    spawning: {
      ...agent().states.spawning,
      timeout: { after: "1h", to: "failed", set: { error: SET_BY_MACHINE } },
    },
  },
};

/** All that is logged and printed from now until the test has finished. */
function listen() {
  const { logger, lines } = recordingLogger();
  const printed: string[] = [];
  for (const method of ["log", "info", "warn", "error", "debug"] as const) {
    const spy = vi.spyOn(console, method).mockImplementation((...words) => {
      printed.push(...words.flatMap(allTextsOf));
    });
    onTestFinished(() => spy.mockRestore());
  }
  const warned = (warning: Error) => void printed.push(...allTextsOf(warning));
  process.on("warning", warned);
  onTestFinished(() => void process.off("warning", warned));
  return { logger, lines, told: () => [...lines, ...printed] };
}

/** A server with two users, a proxy before it, and a client of each user: one has its password in the URL. */
async function planted() {
  const server = await startWithPassword(IN_URL);
  const admin = await adminOf(server, { username: "default", password: IN_URL });
  await admin.call("ACL", "SETUSER", "app", "on", `>${IN_OPTIONS}`, "~*", "&*", "+@all");
  await admin.call("ACL", "SETUSER", "boss", "on", "nopass", "~*", "&*", "+@all");
  const boss = await adminOf(server, { username: "boss", password: "any" });
  const proxy = await startProxy(server);
  const { logger, lines, told } = listen();
  const namespace = freshNamespace();
  const settings: ConnectOptions[] = [
    { url: `valkey://:${encodeURIComponent(IN_URL)}@127.0.0.1:${proxy.port}` },
    { url: `valkey://app:${encodeURIComponent(WRONG)}@127.0.0.1:${proxy.port}`, password: IN_OPTIONS },
  ];
  const clients = await Promise.all(
    settings.map((one) => connect({ ...one, logger, namespace, timeout: "700ms" })),
  );
  for (const latchkey of clients) onTestFinished(() => latchkey.close());
  const homes = await Promise.all(clients.map((latchkey) => homeOf(latchkey)));
  await homes[0]?.agents.create("a1", { token: OWN_VALUE });
  return { server, boss, proxy, namespace, homes, lines, told };
}

async function homeOf(latchkey: Latchkey) {
  return { latchkey, agents: await latchkey.machine(agent()) };
}

type Home = Awaited<ReturnType<typeof homeOf>>;

/** Makes every kind of call at once. @returns what the failed ones were rejected with, without the documents, which may tell own values */
async function failures({ latchkey, agents }: Home): Promise<unknown[]> {
  const set = { token: OWN_VALUE };
  const said = { actor: "me", reason: "because" };
  const settled = await Promise.allSettled([
    agents.create("a2", set, said),
    agents.transition("a1", "running", { set, ...said }),
    agents.patch("a1", { set, ...said }),
    agents.remove("a3"),
    agents.tryPatch("a1", { set }),
    agents.patch("a1", { set, durability: "fsync" }),
    agents.patch("a1", { set, durability: { replicas: 1, timeoutMs: 50 } }),
    agents.get("a1"),
    agents.history("a1"),
    agents.count(),
    all(agents.list()),
    all(agents.events({ after: "start", follow: false })),
    agents.subscribe(() => {}),
    latchkey.machines(),
    latchkey.serverTime(),
    latchkey.definition("agent"),
    latchkey.init(2),
    latchkey.apply(different),
    latchkey.machine(different),
  ]);
  const reasons = settled.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  for (const reason of reasons) {
    if (reason instanceof RejectedError) Object.assign(reason, { current: null });
    if (reason instanceof NotDurableError) Object.assign(reason, { document: null });
  }
  return reasons;
}

interface Scene {
  readonly boss: Valkey;
  readonly proxy: TcpProxy;
  readonly namespace: string;
  readonly stop: () => Promise<void>;
  readonly pause: () => void;
}

interface Trouble {
  readonly begin: (scene: Scene) => Promise<unknown>;
  /** Runs while calls are pending. */
  readonly meanwhile?: (scene: Scene) => Promise<unknown>;
  /** Stands in some error or log line: the trouble was met. */
  readonly sign: RegExp;
}

const denied = (...rules: string[]) => ({
  begin: async ({ boss }: Scene) => {
    for (const user of ["default", "app"]) await boss.call("ACL", "SETUSER", user, ...rules);
  },
  sign: /NOPERM|ACL failure/,
});
const nothing = async (): Promise<void> => {};

const troubles: Record<string, Trouble> = {
  "a server that became a replica": {
    begin: ({ boss }) => boss.replicaof("127.0.0.1", 1),
    sign: /READONLY/,
  },
  "a server out of memory": { begin: ({ boss }) => boss.config("SET", "maxmemory", "1"), sign: /OOM/ },
  "users without EVALSHA": denied("-evalsha"),
  "users without a command inside the scripts": denied("-zadd", "-xadd"),
  "users without the channel": denied("resetchannels"),
  "users without the keys": denied("resetkeys"),
  "users without any command": denied("-@all"),
  "users who may not load the scripts that a flush took away": {
    begin: async (scene) => {
      await denied("-script").begin(scene);
      await scene.boss.script("FLUSH");
    },
    sign: /NOPERM/,
  },
  "keys of another type": {
    begin: async ({ boss, namespace }) => {
      await boss.set(`{${namespace}:0}:agent:id:a2`, "x");
      await boss.del(`{${namespace}:0}:agent:id:a1`);
      await boss.set(`{${namespace}:0}:agent:id:a1`, "x");
    },
    sign: /WRONGTYPE/,
  },
  "a lost answer": {
    begin: async ({ proxy }) => proxy.dropReply("evalsha"),
    sign: /UNKNOWN|answer was lost|connecting again/,
  },
  "connections that are killed": {
    begin: nothing,
    meanwhile: ({ boss }) => boss.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
    sign: /connecting again/,
  },
  "connections that are killed, and passwords that are others by then": {
    begin: async ({ boss, proxy }) => {
      for (const user of ["default", "app"])
        await boss.call("ACL", "SETUSER", user, "resetpass", `>${LATER}`);
      proxy.cut();
    },
    sign: /WRONGPASS|NOAUTH|not connected/,
  },
  "a server that stands still": {
    begin: nothing,
    meanwhile: async ({ pause }) => pause(),
    sign: /OutcomeUnknownError/,
  },
  "a server that is gone": { begin: ({ stop }) => stop(), sign: /not connected|ECONNREFUSED/ },
};

describe("no password, own value or script text is shown by", () => {
  for (const [name, { begin, meanwhile = nothing, sign }] of Object.entries(troubles)) {
    it.runIf(readsOutOfMemory || name !== "a server out of memory")(name, async () => {
      const { server, boss, proxy, namespace, homes, told } = await planted();
      if (!("pid" in server)) throw new Error("A server in a container can't be paused");
      const pause = (): void => void process.kill(server.pid, "SIGSTOP");
      const scene = { boss, proxy, namespace, pause, stop: () => server.stop() };
      await begin(scene);
      const failing = homes.map(failures);
      await meanwhile(scene);
      const errors = (await Promise.all(failing)).flat();
      const texts = [...errors.flatMap(allTextsOf), ...told()];
      expect(texts.join("\n")).toMatch(sign);
      expect(errors).not.toEqual([]);
      expectNoSecrets(texts, SECRETS);
    });
  }

  it("a machine that cannot be installed", async () => {
    const { homes, told } = await planted();
    for (const { latchkey } of homes) {
      const error = await rejectionOf(MachineInUseError, latchkey.apply(different));
      expectNoSecrets([...allTextsOf(error), ...told()], SECRETS);
    }
  });

  it("a rejection, which has own values in `current` and nowhere else", async () => {
    const { homes, told } = await planted();
    for (const { agents } of homes) {
      const error = await rejectionOf(AlreadyExistsError, agents.create("a1", { token: OWN_VALUE }));
      expect(error.current).toMatchObject({ token: OWN_VALUE });
      Object.assign(error, { current: null });
      expectNoSecrets([...allTextsOf(error), ...told()], SECRETS);
    }
  });

  it.runIf(hasWaitaof)(
    "a change that is not as durable as was asked for, which has own values in `document` and nowhere else",
    async () => {
      const { homes, told } = await planted();
      for (const { agents } of homes) {
        const call = agents.patch("a1", { set: { token: OWN_VALUE }, durability: "fsync" });
        const error = await rejectionOf(NotDurableError, call);
        expect(error.document).toMatchObject({ token: OWN_VALUE });
        Object.assign(error, { document: null });
        expectNoSecrets([...allTextsOf(error), ...told()], SECRETS);
      }
    },
  );

  it("calls that succeed", async () => {
    const { homes, lines, told } = await planted();
    for (const { agents } of homes) await agents.patch("a1", { set: { token: OWN_VALUE } });
    expect(lines.filter((line) => line.includes('"msg":"patch"'))).toHaveLength(2);
    expectNoSecrets(told(), SECRETS);
  });
});

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** Servers that connecting to fails, with passwords in the URL and in the options. */
const unusable: Record<string, () => Promise<ConnectOptions>> = {
  "that is not there": async () => ({ url: `valkey://me:PASSWORD@127.0.0.1:${await freePort()}` }),
  "whose host is unknown": async () => ({ url: "valkey://me:PASSWORD@no-such-host.invalid" }),
  "that speaks HTTP": async () => ({
    url: `valkey://me:PASSWORD@127.0.0.1:${await listening(createHttpServer((_, answer) => answer.end("hello")))}`,
  }),
  "that never answers": async () => ({
    url: `valkey://me:PASSWORD@127.0.0.1:${await listening(createServer(() => {}))}`,
    connectTimeoutMs: 100,
  }),
  "that hangs up": async () => ({
    url: `valkey://me:PASSWORD@127.0.0.1:${await listening(createServer((socket) => socket.end()))}`,
  }),
  "that wants another password": async () => {
    const server = await startWithPassword(IN_URL);
    return { url: `valkey://:PASSWORD@127.0.0.1:${server.port}` };
  },
  "whose certificate is not trusted": async () => {
    const { args } = await certificate();
    const port = await freePort();
    await startWithPassword(IN_URL, ["--tls-port", String(port), ...args]);
    return { url: `valkeys://:PASSWORD@localhost:${port}` };
  },
  "that speaks no TLS": async () => {
    const server = await startWithPassword(IN_URL);
    return { url: `valkeys://:PASSWORD@127.0.0.1:${server.port}`, connectTimeoutMs: 500 };
  },
};

describe("no password is shown by a connection to a server", () => {
  for (const [name, prepare] of Object.entries(unusable)) {
    it(name, async () => {
      const { logger, told } = listen();
      const { url = "", ...options } = await prepare();
      const given = { ...options, logger, namespace: freshNamespace() };
      const errors = await Promise.all([
        rejection(connect({ ...given, url: url.replace("PASSWORD", encodeURIComponent(WRONG)) })),
        rejection(connect({ ...given, url: url.replace(":PASSWORD", ":x"), password: WRONG })),
      ]);
      for (const error of errors) expect(error).toMatchObject({ code: "UNREACHABLE" });
      expectNoSecrets([...errors.flatMap(allTextsOf), ...told()], SECRETS);
    });
  }
});

describe("the look for secrets finds", () => {
  it.each([
    ["a property behind a symbol", Object.assign(new Error("x"), { [Symbol("s")]: { deep: [WRONG] } })],
    ["a key", new Error("x", { cause: new Map([[WRONG, 1]]) })],
    ["a buffer", { bytes: Buffer.from(WRONG) }],
    [
      "what a class computes",
      new (class {
        get url() {
          return `valkey://:${encodeURIComponent(WRONG)}@h`;
        }
      })(),
    ],
    ["JSON", { line: JSON.stringify({ password: WRONG }) }],
    ["JSON within JSON", [JSON.stringify([JSON.stringify([WRONG])])]],
    ["base64", { header: Buffer.from(WRONG).toString("base64") }],
  ])("%s", (_, value) => {
    expect(secretsIn(allTextsOf(value), SECRETS)).not.toEqual([]);
  });

  it("a line of a script, and nothing in other text", () => {
    expect(secretsIn(["#!lua\nreturn 1"], SECRETS)).toEqual(["#!lua"]);
    expect(secretsIn(["planted", "nothing of it"], SECRETS)).toEqual([]);
  });
});
