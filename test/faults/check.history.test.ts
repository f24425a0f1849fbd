import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { gather } from "../../faults/check/gather.js";
import { linear } from "../../faults/check/linear/linear.js";
import { witness } from "../../faults/check/witness/witness.js";
import { parseRecord } from "../../faults/history/parse.js";
import { readHistory } from "../../faults/history/reader.js";
import type { HistoryRecord } from "../../faults/history/records.js";
import { HistoryWriter } from "../../faults/history/writer.js";
import { root } from "../helpers/built.js";
import { all } from "../helpers/client.js";
import { freshFolder } from "../helpers/folder.js";
import { snippets } from "../helpers/snippets.js";
import { simulate } from "./simulation/simulate.js";

const get: HistoryRecord = {
  ...{ kind: "call", process: "p", number: 1, at: 1.5, operation: "get", machine: "door", id: "d1" },
};

async function freshFile(): Promise<string> {
  return join(await freshFolder(), "history.jsonl");
}

describe("a written history", () => {
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

  it("continues after the last complete line of a killed process", async () => {
    const path = await freshFile();
    writeFileSync(path, `${JSON.stringify(get)}\n{"kind":"ret`);
    const history = new HistoryWriter(path);
    history.append({ ...get, number: 2 });
    history.close();
    expect(await all(readHistory(path))).toEqual([get, { ...get, number: 2 }]);
  });

  it("appends the complete lines of other files, however long they are", async () => {
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

describe("a history is rejected", () => {
  const line = JSON.stringify(get);
  it.each([
    ["that is not JSON", "{", "is not JSON"],
    ["of a list", "[]", "is not an object"],
    ["of another kind", '{"kind":"gossip"}', 'has an unknown kind ("gossip")'],
    ["with an unknown field", line.replace('"id"', '"colour":1,"id"'), 'unknown field "colour"'],
    ["with a missing field", line.replace(',"id":"d1"', ""), 'missing field "id"'],
    ["with a malformed field", line.replace("1.5", '"noon"'), 'malformed field "at"'],
    ["with an inherited property as a field", line.replace('"id"', '"toString":1,"id"'), "unknown field"],
  ])("for a line %s", (_, text, problem) => {
    expect(() => parseRecord(text)).toThrow(problem);
  });

  it("with the line's number", async () => {
    const path = await freshFile();
    writeFileSync(path, `${line}\n{}\n`);
    await expect(all(readHistory(path))).rejects.toThrow(/^line 2 of .* has an unknown kind/);
  });

  it("if it is truncated, unless that is expected", async () => {
    const path = await freshFile();
    writeFileSync(path, `${line}\n`);
    appendFileSync(path, line.slice(0, 20));
    await expect(all(readHistory(path))).rejects.toThrow(/^line 2 of .* is truncated/);
    expect(await all(readHistory(path, { truncated: "drop" }))).toEqual([get]);
  });

  const whole = simulate({ seed: 2, calls: 30 });
  const [run, ...rest] = whole;
  it.each([
    ["without a run", rest, "run record must be the first"],
    ["without an end", whole.slice(0, -1), "no end record"],
    ["without anything", [], "is empty"],
    ["with records after its end", [...whole, get], "follows the end record"],
    [
      "with two returns of a call",
      [...whole.slice(0, -1), ...whole.filter(({ kind }) => kind === "return")],
      "call",
    ],
    ["with a return without a call", whole.filter(({ kind }) => kind !== "call"), "has no pending call"],
    ["of unknown machines", [run, get, ...rest], "names the unknown machine door"],
  ])("as a whole %s", async (_, records, problem) => {
    await expect(gather(records as HistoryRecord[])).rejects.toThrow(problem);
  });
});

it("the documented history passes both checkers", async () => {
  const text = readFileSync(join(root, "faults/HISTORY.md"), "utf8");
  const [block] = snippets(text).filter(({ language }) => language === "jsonl");
  const records = (block?.text ?? "").trimEnd().split("\n").map(parseRecord);
  const facts = await gather(records);
  expect(witness(facts)).toMatchObject({ calls: 3, changes: 2, violations: [] });
  expect(linear(facts)).toMatchObject({ violations: [], undecided: 0 });
});
