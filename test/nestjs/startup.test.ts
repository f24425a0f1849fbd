import { Module, type ModuleMetadata } from "@nestjs/common";
import { expect, it, onTestFinished } from "vitest";
import { agent, ConnectError, defineMachine, type ErrorCode } from "../../src/index.js";
import { getLatchkeyToken, LatchkeyModule, type LatchkeyModuleOptions } from "../../src/nestjs/index.js";
import { freePort } from "../../src/server/port.js";
import { startValkey } from "../../src/testing/index.js";
import { client, rejection, rejectionOf } from "../helpers/client.js";
import { ownServer } from "../helpers/doctor.js";
import { connectionsNamed, expectNoConnection, recordingNestLogger, startApp } from "../helpers/nest-app.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const order = defineMachine({ name: "order", version: 1, initial: "open", states: { open: {} } });
const other = defineMachine({ name: "order", version: 1, initial: "open", states: { open: {}, paid: {} } });
const FAST = { attempts: 2, delay: 1 };

/** Options of a connection with a name of its own in CLIENT LIST. */
async function named() {
  const { url } = await useValkey();
  const namespace = freshNamespace();
  return { url, namespace, connectionName: namespace };
}

/** Starts an application whose startup fails, and verifies that none of its connections stays open. */
async function failedStart(metadata: ModuleMetadata, name: string): Promise<Error> {
  const error = await rejection(startApp(metadata));
  await expectNoConnection(name);
  return error;
}

it("waits for a server that is not up yet", async () => {
  const port = await freePort();
  const { lines, logger } = recordingNestLogger();
  const options = { url: `valkey://127.0.0.1:${port}`, retry: { attempts: 1_000, delay: 20 } };
  const starting = startApp({ imports: [LatchkeyModule.forRoot(options)] }, { logger });
  await expect.poll(() => lines.join("\n")).toContain("warn [Latchkey] the server is not up yet; waiting");
  const server = await startValkey({ port });
  onTestFinished(() => server.stop());
  const app = await starting;
  expect(await app.get(getLatchkeyToken()).machines()).toEqual([]);
  await app.close();
});

it("fails with the cause after the last attempt", async () => {
  const { lines, logger } = recordingNestLogger();
  const options = { url: `valkey://127.0.0.1:${await freePort()}`, retry: FAST };
  const starting = startApp({ imports: [LatchkeyModule.forRoot(options)] }, { logger });
  expect((await rejectionOf(ConnectError, starting)).reason).toBe("refused");
  expect(lines.filter((line) => line.includes("not up yet")).length).toBe(FAST.attempts);
});

it("fails at once if a retry cannot help", async () => {
  const { server, admin } = await ownServer();
  const start = async (
    options: LatchkeyModuleOptions,
    machine = order,
  ): Promise<Error & { code?: ErrorCode }> => {
    const { lines, logger } = recordingNestLogger();
    const imports = [LatchkeyModule.forRoot(options), LatchkeyModule.forFeature([machine])];
    const error = await rejection(startApp({ imports }, { logger }));
    expect(lines.filter((line) => line.includes("waiting"))).toEqual([]);
    return error;
  };
  await admin.call("ACL", "SETUSER", "known", "on", ">right");
  const wrong = await start({ url: `valkey://known:wrong@127.0.0.1:${server.port}` });
  expect(wrong).toMatchObject({ code: "UNREACHABLE", reason: "auth" });
  await admin.hset("{old}:meta", "layout", "1", "partitions", "1");
  expect((await start({ url: server.url, namespace: "old" })).code).toBe("LAYOUT");
  await (await client({ url: server.url, namespace: "used" })).apply(other);
  expect((await start({ url: server.url, namespace: "used" })).code).toBe("INUSE");
});

it.each<[string, object, RegExp]>([
  ["an unknown option", { shutdownTimout: "1s" }, /unknown option "shutdownTimout"/],
  ["an invalid option of connect", { timeout: "soon" }, /timeout: invalid duration "soon"/],
  ["an invalid shutdownTimeout", { shutdownTimeout: "x" }, /shutdownTimeout: invalid duration "x"/],
  ["an invalid retry", { retry: { attempts: -1 } }, /retry.attempts must be a whole number/],
  ["an invalid option of the sweep", { sweep: { batch: 0 } }, /batch must be a whole number/],
  ["an unknown option of the sweep", { sweep: { intervall: "1s" } }, /unknown option "intervall"/],
])("rejects %s when the application starts", async (_title, options, message) => {
  const all = await named();
  const error = await failedStart(
    { imports: [LatchkeyModule.forRoot({ ...all, ...options })] },
    all.namespace,
  );
  expect(error).toMatchObject({ code: "BADARG", message: expect.stringMatching(message) });
});

it.each<[string, () => unknown, RegExp]>([
  ["an invalid connection", () => LatchkeyModule.forRoot({ connection: "A b" }), /invalid connection "A b"/],
  ["isGlobal that is no boolean", () => LatchkeyModule.forRoot({ isGlobal: 1 as never }), /isGlobal must be/],
  ["settings without a source", () => LatchkeyModule.forRootAsync({}), /exactly one of useFactory/],
  [
    "settings with two sources",
    () => LatchkeyModule.forRootAsync({ useFactory: () => ({}), useExisting: "X" }),
    /exactly one of useFactory/,
  ],
  [
    "no list of machines",
    () => LatchkeyModule.forFeature(order as never),
    /machines must be a list of machines/,
  ],
  ["a machine without a name", () => LatchkeyModule.forFeature([{} as never]), /name/],
])("rejects %s at once", (_title, call, message) => {
  expect(call).toThrow(message);
});

it("rejects options of the module among the settings of a factory", async () => {
  const all = await named();
  const root = LatchkeyModule.forRootAsync({ useFactory: () => ({ ...all, connection: "orders" }) });
  const error = await failedStart({ imports: [root] }, all.namespace);
  expect(error.message).toBe("connection is fixed before the settings are made; write it beside useFactory");
});

it("rejects two connections of one name", async () => {
  const all = await named();
  const imports = [LatchkeyModule.forRoot(all), LatchkeyModule.forRoot({ ...all })];
  const error = await failedStart({ imports }, all.namespace);
  expect(error.message).toMatch(/opens a connection without a name twice/);
  const twice = imports.map(() => LatchkeyModule.forRoot({ ...all, connection: "orders" }));
  expect((await failedStart({ imports: twice }, all.namespace)).message).toMatch(/named "orders" twice/);
});

it("opens a connection once if several modules import the same one", async () => {
  const all = await named();
  const root = LatchkeyModule.forRoot(all);
  @Module({ imports: [root] })
  class Further {}
  await startApp({ imports: [root, Further] });
  expect(await connectionsNamed(all.namespace)).toBe(1);
});

it("rejects two definitions of one machine, with their differences", async () => {
  const all = await named();
  const imports = [order, other].map((machine) => LatchkeyModule.forFeature([machine]));
  const error = await failedStart({ imports: [LatchkeyModule.forRoot(all), ...imports] }, all.namespace);
  expect(error.message).toMatch(/two modules use different definitions of machine "order".*states\.paid/);
});

it("closes all connections if one of them cannot be opened, or a machine cannot be applied", async () => {
  const all = await named();
  const second = { url: `valkey://127.0.0.1:${await freePort()}`, connection: "second", retry: FAST };
  const roots = [LatchkeyModule.forRoot(all), LatchkeyModule.forRoot(second)];
  expect(await failedStart({ imports: roots }, all.namespace)).toMatchObject({ code: "UNREACHABLE" });
  await (await client({ namespace: all.namespace })).apply(other);
  const imports = [LatchkeyModule.forRoot(all), LatchkeyModule.forFeature([order, agent()])];
  expect(await failedStart({ imports }, all.namespace)).toMatchObject({ code: "INUSE" });
});
