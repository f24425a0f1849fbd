import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { gather } from "../../faults/check/gather.js";
import { linear } from "../../faults/check/linear.js";
import { simulate } from "../../faults/check/simulation/simulate.js";
import { witness } from "../../faults/check/witness.js";
import { type HistoryRecord, HistoryWriter, parseRecord, readHistory } from "../../faults/history.js";
import { root } from "../helpers/built.js";
import { all } from "../helpers/client.js";
import { freshFolder } from "../helpers/folder.js";
import { snippets } from "../helpers/snippets.js";

const get: HistoryRecord = {
  ...{ kind: "call", process: "p", number: 1, at: 1.5, operation: "get", machine: "door", id: "d1" },
};

async function freshFile(): Promise<string> {
  return join(await freshFolder(), "history.jsonl");
}

describe("a history that is written", () => {
  it("is read back record by record", async () => {
    const path = await freshFile();
    const records = simulate({ seed: 1, calls: 200 });
    const history = new HistoryWriter(path);
    for (const record of records) history.append(record);
    history.close();
    expect(await all(readHistory(path))).toEqual(records);
  });

  it("is in the file once it is flushed", async () => {
    const path = await freshFile();
    const history = new HistoryWriter(path);
    history.append(get);
    history.flush();
    expect(readFileSync(path, "utf8")).toBe(`${JSON.stringify(get)}\n`);
    history.close();
  });

  it("goes on behind the last whole line of a process that was killed", async () => {
    const path = await freshFile();
    writeFileSync(path, `${JSON.stringify(get)}\n{"kind":"ret`);
    const history = new HistoryWriter(path);
    history.append({ ...get, number: 2 });
    history.close();
    expect(await all(readHistory(path))).toEqual([get, { ...get, number: 2 }]);
  });

  it("takes over the whole lines of others, however long they are", async () => {
    const [path, other] = [await freshFile(), await freshFile()];
    const long = { ...get, id: "d".repeat(3_000_000) };
    writeFileSync(other, `${JSON.stringify(long)}\n${JSON.stringify(get)}\n{"torn`);
    const history = new HistoryWriter(path);
    history.append(get);
    history.appendFile(other);
    history.append(get);
    history.close();
    expect(await all(readHistory(path))).toEqual([get, long, get, get]);
  });
});

describe("a history is refused", () => {
  const line = JSON.stringify(get);
  it.each([
    ["that is not JSON", "{", "is not JSON"],
    ["of a list", "[]", "is no object"],
    ["of another kind", '{"kind":"gossip"}', 'is of no known kind ("gossip")'],
    ["with a field too many", line.replace('"id"', '"colour":1,"id"'), '"colour" is no field of it'],
    ["with a field too few", line.replace(',"id":"d1"', ""), '"id" is missing'],
    ["with a malformed field", line.replace("1.5", '"noon"'), '"at" is malformed'],
    ["with an inherited word for a field", line.replace('"id"', '"toString":1,"id"'), "no field of it"],
  ])("for a line %s", (_, text, problem) => {
    expect(() => parseRecord(text)).toThrow(problem);
  });

  it("with the line's number", async () => {
    const path = await freshFile();
    writeFileSync(path, `${line}\n{}\n`);
    await expect(all(readHistory(path))).rejects.toThrow(/^line 2 of .* is of no known kind/);
  });

  it("where it was cut off, unless that is expected", async () => {
    const path = await freshFile();
    writeFileSync(path, `${line}\n`);
    appendFileSync(path, line.slice(0, 20));
    await expect(all(readHistory(path))).rejects.toThrow(/^line 2 of .* does not end/);
    expect(await all(readHistory(path, { torn: "drop" }))).toEqual([get]);
  });

  const whole = simulate({ seed: 2, calls: 30 });
  const [run, ...rest] = whole;
  it.each([
    ["without a run", rest, "run comes first"],
    ["without an end", whole.slice(0, -1), "no end record"],
    ["without anything", [], "is empty"],
    ["with records behind its end", [...whole, get], "behind the end"],
    [
      "with two returns of a call",
      [...whole.slice(0, -1), ...whole.filter(({ kind }) => kind === "return")],
      "call",
    ],
    ["with an answer to no call", whole.filter(({ kind }) => kind !== "call"), "belongs to no open call"],
    ["of machines that the run does not have", [run, get, ...rest], "names the machine door"],
  ])("as a whole %s", async (_, records, problem) => {
    await expect(gather(records as HistoryRecord[])).rejects.toThrow(problem);
  });
});

it("the documented history is one that both checkers accept", async () => {
  const text = readFileSync(join(root, "docs/evidence/history-format.md"), "utf8");
  const [block] = snippets(text).filter(({ language }) => language === "jsonl");
  const records = (block?.text ?? "").trimEnd().split("\n").map(parseRecord);
  const facts = await gather(records);
  expect(witness(facts)).toMatchObject({ calls: 3, changes: 2, violations: [] });
  expect(linear(facts)).toMatchObject({ violations: [], undecided: 0 });
});
