import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { built, root } from "../helpers/built.js";
import { all } from "../helpers/client.js";
import { dial } from "../helpers/dial.js";
import { reacting, replicas } from "../helpers/reactions.js";
import { useValkey } from "../helpers/valkey.js";

beforeAll(built);

/** Runs a replica in a process. Its handler of entity `poison` kills the process while the other handlers run. */
function replica(url: string, namespace: string, options: object) {
  const code = `
    import { setTimeout as work } from "node:timers/promises";
    import { connect } from "latchkey";
    const latchkey = await connect(${JSON.stringify({ url, namespace })});
    const dials = await latchkey.machine(${JSON.stringify(dial)});
    await dials.react("r", async ({ id }) => {
      await work(id === "poison" ? 200 : 400);
      if (id === "poison") process.kill(process.pid, "SIGKILL");
      console.log(id);
    }, ${JSON.stringify(options)});`;
  const child = spawn(process.execPath, ["--no-warnings", "--input-type=module", "-e", code], { cwd: root });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

it("an event that kills its process becomes a dead letter after its own attempts, and the events beside it are handled", async () => {
  const { list, namespace } = await replicas(1);
  const [ours] = list;
  const { url } = await useValkey();
  await (await reacting(ours, () => {})).close();
  const ids = Array.from({ length: 10 }, (_, n) => (n === 4 ? "poison" : `x${n}`));
  for (const id of ids) await ours.create(id);
  const handled: string[] = [];
  let crashes = 0;
  const isOpen = async () => ((await ours.reactions())[0]?.pending ?? 0) > 0 || crashes === 0;
  while (await isOpen()) {
    const child = replica(url, namespace, { takeOverAfter: "300ms", concurrency: 10, deadLetterAfter: 2 });
    createInterface(child.stdout).on("line", (line) => handled.push(line));
    const exit = once(child, "exit");
    const end = expect.poll(async () => child.signalCode === "SIGKILL" || !(await isOpen())).toBe(true);
    await Promise.race([exit, end]);
    if (child.signalCode === "SIGKILL") crashes += 1;
  }
  expect(new Set(handled)).toEqual(new Set(ids.filter((id) => id !== "poison")));
  const letters = await all(ours.deadLetters("r"));
  expect(letters.map(({ text }) => JSON.parse(text ?? "{}").id)).toEqual(["poison"]);
  // In groups of 10, 5 and 2, then alone twice.
  expect(letters[0]).toMatchObject({ attempts: crashes });
  expect(crashes).toBe(5);
}, 120_000);
