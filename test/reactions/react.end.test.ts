import { once } from "node:events";
import { expect, it } from "vitest";
import { type Latchkey, NotExecutedError } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { dial } from "../helpers/dial.js";
import { gate, reacting } from "../helpers/reactions.js";
import { recordingLogger } from "../helpers/secrets.js";

/** A client of a user who has all permissions until some are taken away. */
async function userOf(namespace: string, logger?: object): Promise<Latchkey> {
  await (await admin()).acl("SETUSER", namespace, "on", ">p", "~*", "&*", "+@all");
  return client({ namespace, username: namespace, password: "p", ...(logger as object) });
}

/** A handler that never returns. @param open called when it has begun */
function hang(open: () => void): Promise<void> {
  open();
  return new Promise(() => {});
}

it("a reaction that ends without a permission is logged by name, with the cause", async () => {
  const home = await client();
  const { namespace } = home;
  const ours = await home.machine(dial);
  const { logger, lines } = recordingLogger();
  const poor = await (await userOf(namespace, { logger })).machine(dial);
  const reaction = await poor.react("cleanup", () => {});
  await (await admin()).acl("SETUSER", namespace, "-xadd");
  await ours.create("x1");
  const error = await rejectionOf(NotExecutedError, reaction.closed);
  expect(error).toMatchObject({ code: "NOTEXECUTED", reply: "NOPERM" });
  expect(error.message).toMatch(/^reaction cleanup was rejected: .*`latchkey acl --role ROLE`/);
  const errors = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 50);
  expect(errors.at(-1)).toMatchObject({
    machine: "dial",
    reaction: "cleanup",
    error: error.message,
    msg: "a reaction ended: it cannot continue in this replica",
  });
  expect(lines.join()).not.toContain("a listener failed");
});

it("a follower that ends without a permission is logged as a follower, with the cause", async () => {
  const home = await client();
  const { logger, lines } = recordingLogger();
  await home.machine(dial);
  const poor = await (await userOf(home.namespace, { logger })).machine(dial);
  await (await admin()).acl("SETUSER", home.namespace, "-xrange");
  const follower = await poor.follow(() => {});
  const error = await rejectionOf(NotExecutedError, follower.closed);
  const last = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 50);
  expect(last).toMatchObject([
    { machine: "dial", error: error.message, msg: "a follower ended: it cannot continue in this replica" },
  ]);
});

it("a reaction that ends without a logger warns with its name and the cause", async () => {
  const home = await client();
  const ours = await home.machine(dial);
  const poor = await (await userOf(home.namespace)).machine(dial);
  const warned = once(process, "warning");
  const reaction = await poor.react("cleanup", () => {});
  await (await admin()).acl("SETUSER", home.namespace, "-xadd");
  await ours.create("x1");
  const { message } = await rejectionOf(NotExecutedError, reaction.closed);
  const [warning] = await warned;
  expect(warning).toMatchObject({
    code: "LATCHKEY_ENDED",
    message: `reaction cleanup of dial ended: it cannot continue in this replica: ${message}`,
  });
});

it("a pending close of a reaction and of a follower settles when latchkey is closed, though a handler hangs", async () => {
  const home = await client();
  const ours = await home.machine(dial);
  const [handled, followed] = [gate(), gate()];
  const reaction = await ours.react("r", () => hang(handled.open));
  const follower = await ours.follow(() => hang(followed.open));
  await ours.create("x1");
  await Promise.all([handled.promise, followed.promise]);
  const closing = [reaction.close(), follower.close(), reaction.closed, follower.closed];
  await home.close();
  await Promise.all(closing);
});

it("a close of a reaction and of a follower after latchkey was closed settles, though a handler hangs", async () => {
  const home = await client();
  const ours = await home.machine(dial);
  const [handled, followed] = [gate(), gate()];
  const reaction = await ours.react("r", () => hang(handled.open));
  const follower = await ours.follow(() => hang(followed.open));
  await ours.create("x1");
  await Promise.all([handled.promise, followed.promise]);
  await home.close();
  await Promise.all([reaction.close(), follower.close()]);
});

it("with a delay of 0, events are handled at once", async () => {
  const ours = await (await client()).machine(dial);
  const met: string[] = [];
  await reacting(ours, ({ id }) => void met.push(id), { delay: 0 });
  await ours.create("x1");
  await expect.poll(() => met).toEqual(["x1"]);
});
