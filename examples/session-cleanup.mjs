// When an agent has ended, its session's folder is removed: by whichever replica is there to do it. Here the replica that
// begins is killed in the middle (SIGKILL), and another one finishes.
//
//   node examples/session-cleanup.mjs        VALKEY_URL names the server, valkey://localhost:6379 if absent
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { agent, connect } from "latchkey";

const url = process.env.VALKEY_URL ?? "valkey://localhost:6379";
const [role = "main", namespace = `examples-${Date.now()}`] = process.argv.slice(2);
const latchkey = await connect({ url, namespace });
const agents = await latchkey.machine(agent());

/** A replica of the service: this is all that your own needs. */
async function serve(name) {
  await agents.react(
    "session-cleanup",
    async ({ id, folder }, { attempt }) => {
      process.send({ name, does: `cleans up after ${id}, try ${attempt}` });
      if (name === "replica-1") await new Promise(() => {}); // a disk that hangs
      await rm(folder, { recursive: true, force: true }); // done twice, it does no harm
      process.send({ name, does: "is done" });
    },
    { on: ["agent.completed", "agent.failed", "agent.killed"], takeOverAfter: "1s" },
  );
  process.send({ name, does: "waits" });
}

/** Starts a replica; `says` waits until it says something. */
function replica(name) {
  const child = fork(fileURLToPath(import.meta.url), [name, namespace]);
  const said = [];
  child.on("message", ({ does }) => {
    console.log(`${name} ${does}`);
    said.push(does);
  });
  const says = async (text) => {
    while (!said.some((does) => does.startsWith(text))) await once(child, "message");
  };
  return { child, says };
}

if (role !== "main") {
  await serve(role);
} else {
  const folder = await mkdtemp(join(tmpdir(), "session-"));
  await writeFile(join(folder, "notes.txt"), "what the agent wrote down");

  const first = replica("replica-1");
  await first.says("waits");
  await agents.create("a1", { folder });
  await agents.transition("a1", "running");
  await agents.transition("a1", "completed");
  await first.says("cleans up");
  first.child.kill("SIGKILL");
  await once(first.child, "exit");
  console.log(`replica-1 was killed; the folder is ${existsSync(folder) ? "still there" : "gone"}`);

  const second = replica("replica-2");
  await second.says("is done");
  console.log(`the folder is ${existsSync(folder) ? "still there" : "gone"}`);
  process.exitCode = existsSync(folder) ? 1 : 0;
  second.child.kill();
  await latchkey.close();
}
