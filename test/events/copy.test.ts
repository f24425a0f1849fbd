import { expect, it } from "vitest";
import { type Change, GapError } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { all, client } from "../helpers/client.js";
import { dial } from "../helpers/dial.js";

it("a copy that follows the log is complete after every gap, by listing the entities again and applying newer changes", async () => {
  const home = await client();
  await home.init(4);
  const list = await home.machine(dial);
  const logs = Array.from({ length: 4 }, (_, p) => `{${home.namespace}:${p}}:dial:events`);
  const copy = new Map<string, Change>();
  let gaps = 0;
  const states = ["a", "b", "c"] as const;
  let after: string = "start";
  for (let round = 0; round < 30; round++) {
    for (let n = 0; n < 12; n++) {
      const id = `x${(round * 5 + n) % 17}`;
      const entity = await list.get(id);
      if (entity === null) await list.create(id);
      else if (n % 7 === 6) await list.remove(id);
      else await list.transition(id, states[(round + n) % 3] ?? "a");
    }
    if (round % 3 === 1) for (const key of logs) await (await admin()).xtrim(key, "MAXLEN", 2);
    for (;;) {
      const log = list.events({ after, follow: false });
      try {
        for await (const change of log) {
          const known = copy.get(change.id);
          if (known !== undefined && isNotBefore(known, change)) continue;
          if (change.type === "dial.removed") copy.delete(change.id);
          else copy.set(change.id, change);
        }
        after = log.cursor ?? after;
        break;
      } catch (error) {
        if (!(error instanceof GapError)) throw error;
        gaps += 1;
        after = error.cursor;
        copy.clear();
        for (const entity of await all(list.list())) copy.set(entity.id, entity as Change);
      }
    }
    const now = new Map((await all(list.list())).map(({ id, version }) => [id, version]));
    expect(new Map([...copy].map(([id, { version }]) => [id, version]))).toEqual(now);
  }
  expect(gaps).toBeGreaterThan(5);
});

function isNotBefore(known: Change, change: Change): boolean {
  return known.createdAt === change.createdAt
    ? known.version >= change.version
    : known.timestamp > change.timestamp;
}
