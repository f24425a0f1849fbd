import { once } from "node:events";
import { expect, it } from "vitest";
import { agent, type Logger } from "../../src/index.js";
import { client } from "../helpers/client.js";

it("a logger that throws changes no result of a call, and is reported once", async () => {
  const lines: string[] = [];
  const fail = (_: object, message: string): void => {
    lines.push(message);
    throw new Error("disk full");
  };
  const logger: Logger = { debug: fail, info: fail, warn: fail, error: fail };
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on("warning", note);
  const first = once(process, "warning");
  const agents = await (await client({ logger })).machine(agent());
  expect((await agents.create("a1")).version).toBe(1);
  expect((await agents.transition("a1", "running")).state).toBe("running");
  expect((await agents.tryTransition("a1", "spawning")).ok).toBe(false);
  expect(lines).toEqual(["create", "transition", "transition rejected"]);
  await first;
  process.off("warning", note);
  expect(warnings).toMatchObject([
    { code: "LATCHKEY_LOGGER", message: "the logger failed, and lines are missing: disk full" },
  ]);
});

it("a logger keeps its `this`", async () => {
  class Lines {
    readonly list: string[] = [];
    debug(): void {}
    info(_: object, message: string): void {
      this.list.push(message);
    }
    warn(): void {}
    error(): void {}
  }
  const logger = new Lines();
  const agents = await (await client({ logger })).machine(agent());
  await agents.create("a1");
  expect(logger.list).toEqual(["create"]);
});
