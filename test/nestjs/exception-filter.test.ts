import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HttpException, UseFilters } from "@nestjs/common";
import { APP_FILTER, HttpAdapterHost } from "@nestjs/core";
import { describe, expect, it } from "vitest";
import { documentedCodes } from "../../scripts/docs-errors.mjs";
import {
  AgentLifecycle,
  agent,
  ClosedError,
  ConnectError,
  ContractError,
  type ErrorCode,
  LatchkeyError,
  NotDurableError,
  NotExecutedError,
  OutcomeUnknownError,
  WaitError,
} from "../../src/index.js";
import { STATUSES } from "../../src/nestjs/error-response.js";
import { LatchkeyExceptionFilter } from "../../src/nestjs/exception-filter.js";
import { ERROR_NAMES } from "../../src/nestjs/known-error.js";
import { root } from "../helpers/built.js";
import { agents, client, rejection } from "../helpers/client.js";
import { controllerOf, httpApp } from "../helpers/nest-http.js";

const SECRET = "valkey://10.9.8.7:6379";

/** Answers one request whose handler does some work. */
async function answerTo(work: () => unknown) {
  const { url, lines } = await httpApp({
    controllers: [controllerOf(work)],
    providers: [{ provide: APP_FILTER, useClass: LatchkeyExceptionFilter }],
  });
  const response = await fetch(url);
  const body = (await response.json()) as Record<string, unknown>;
  expect(body.statusCode).toBe(response.status);
  return { status: response.status, retryAfter: response.headers.get("retry-after"), body, lines };
}

function failWith(error: unknown): () => never {
  return () => {
    throw error;
  };
}

describe("the table of statuses", () => {
  const codes: Record<string, { classes: string[] }> = documentedCodes();

  it("has one row for each code of the docs, and no other", () => {
    expect([...STATUSES.keys()].sort()).toEqual(Object.keys(codes).sort());
  });

  it("is the table of the guide", () => {
    const guide = readFileSync(join(root, "docs/guides/nestjs.md"), "utf8");
    const rows = [...guide.matchAll(/^\| ([45]\d\d) \| (`.*?`) \|/gm)].flatMap(([, status, list = ""]) =>
      [...list.matchAll(/`(\w+)`/g)].map(([, code = ""]) => [code, Number(status)] as const),
    );
    expect(rows.toSorted()).toEqual([...STATUSES].toSorted());
  });

  it("knows the names of all error classes of the docs, and no other", () => {
    const classes = new Set(Object.values(codes).flatMap((code) => code.classes));
    expect([...ERROR_NAMES].sort()).toEqual([...classes].sort());
  });
});

describe("a rejection by the server", () => {
  it("is answered with a status below 500, the error's message and the current entity", async () => {
    const list = await agents();
    await list.create("a1", { taskId: "t1" });
    const changes: [work: () => Promise<unknown>, status: number, code: string][] = [
      [() => list.transition("none", "running"), 404, "NOTFOUND"],
      [() => list.create("a1"), 409, "EXISTS"],
      [() => list.transition("a1", "completed"), 409, "ILLEGAL"],
      [() => list.transition("a1", "running", { ifVersion: 7 }), 409, "CONFLICT"],
      [() => list.transition("a1", "failed"), 422, "MISSING"],
      [() => list.transition("a1", "running", { notAfter: 1 }), 408, "EXPIRED"],
      [() => list.waitFor("a1", "running", { timeout: 1 }), 408, "TIMEDOUT"],
    ];
    for (const [work, status, code] of changes) {
      const answer = await answerTo(work);
      const { message } = await rejection(work());
      const current =
        code === "NOTFOUND" ? null : expect.objectContaining({ id: "a1", state: "spawning", version: 1 });
      expect(answer).toMatchObject({ status, retryAfter: null });
      expect(answer.body).toEqual({ statusCode: status, code, message, current });
      expect(answer.lines.filter((line) => line.startsWith("error"))).toEqual([]);
    }
    expect(await list.get("a1")).toMatchObject({ state: "spawning", version: 1 });
  });

  it("of an invalid call is answered with 400", async () => {
    const list = await agents();
    const { status, body } = await answerTo(() => list.create("no id"));
    expect(status).toBe(400);
    expect(body).toEqual({ statusCode: 400, code: "BADARG", message: expect.stringContaining("no id") });
  });

  it("is answered without the current entity with the option current: false", async () => {
    const list = await agents();
    await list.create("a1", { secret: "s" });
    const { url } = await httpApp({ controllers: [controllerOf(() => list.create("a1"))] }, (app) =>
      app.useGlobalFilters(new LatchkeyExceptionFilter(app.get(HttpAdapterHost), { current: false })),
    );
    const body = await (await fetch(url)).json();
    expect(body).toEqual({ statusCode: 409, code: "EXISTS", message: expect.stringContaining("a1") });
  });
});

const unknown = { machine: "agent", id: "a1", op: "op-1", seen: "0-0", notAfter: 1 };
const document = {
  machine: "agent",
  id: "a1",
  state: "running",
  version: 2,
  timestamp: "t",
  since: "t",
  createdAt: "t",
};

describe("a failure of the server or of this program", () => {
  it.each<[status: number, retryAfter: string | null, error: LatchkeyError]>([
    [503, "1", new NotExecutedError(`not connected to ${SECRET}`, "")],
    [503, "1", new NotExecutedError(`out of memory at ${SECRET}`, "OOM")],
    [500, null, new NotExecutedError(`no permission at ${SECRET}`, "NOPERM")],
    [503, "1", new ConnectError(SECRET, "refused")],
    [500, null, new ConnectError(SECRET, "permission")],
    [503, "1", new ClosedError()],
    [504, null, new OutcomeUnknownError(`lost at ${SECRET}`, unknown, () => Promise.reject())],
    [500, null, new ContractError("NOMACHINE", `no machine at ${SECRET}`)],
    [500, null, new LatchkeyError("LAYOUT", `another layout at ${SECRET}`)],
    [500, null, new LatchkeyError("NEWER" as ErrorCode, `of a newer copy at ${SECRET}`)],
  ])("is answered with %i, Retry-After %s and no address: %s", async (status, retryAfter, error) => {
    const answer = await answerTo(failWith(error));
    expect(answer).toMatchObject({ status, retryAfter });
    expect(answer.body).toEqual({
      statusCode: status,
      code: error.code,
      message: expect.not.stringContaining("10.9.8.7"),
      ...(status === 504 && { op: "op-1" }),
    });
    // Operators find the cause in the log.
    expect(
      answer.lines.filter((line) => line.startsWith("error") && line.endsWith(error.message)),
    ).toHaveLength(1);
  });

  it("to make a change durable is answered with the change that was applied", async () => {
    const error = new NotDurableError(
      { ...document, type: "agent.running", from: "spawning" },
      { local: 0, replicas: 0 },
    );
    const { status, retryAfter, body } = await answerTo(failWith(error));
    expect({ status, retryAfter }).toEqual({ status: 500, retryAfter: null });
    expect(body).toMatchObject({ code: "NOTDURABLE", applied: true, current: { id: "a1", version: 2 } });
    expect(body.message).toContain("the change was applied");
  });
});

describe("the filter", () => {
  it("judges errors of another copy of the package by their name and code", async () => {
    const copy = Object.assign(new Error("agent a1 not found"), {
      name: "NotFoundError",
      code: "NOTFOUND",
      current: null,
    });
    expect((await answerTo(failWith(copy))).body).toEqual({
      statusCode: 404,
      code: "NOTFOUND",
      message: "agent a1 not found",
      current: null,
    });
  });

  it("judges the errors of AgentLifecycle as those of entities", async () => {
    const lifecycle = new AgentLifecycle(await agents());
    expect(await answerTo(() => lifecycle.transitionToRunning("a1"))).toMatchObject({
      status: 404,
      body: { code: "NOTFOUND", message: "Agent a1 not found" },
    });
  });

  it.each<[status: number, error: unknown]>([
    [418, new HttpException({ statusCode: 418, code: "CONFLICT" }, 418)],
    [500, Object.assign(new Error("no"), { code: "NOTFOUND" })],
    [500, Object.assign(new Error("no"), { name: "ConflictError" })],
    [500, "NOTFOUND"],
    [500, null],
  ])("leaves other exceptions to Nest, which answers %i: %s", async (status, error) => {
    const response = await fetch(
      (
        await httpApp({
          controllers: [controllerOf(failWith(error))],
          providers: [{ provide: APP_FILTER, useClass: LatchkeyExceptionFilter }],
        })
      ).url,
    );
    expect(response.status).toBe(status);
    expect(await response.json()).not.toMatchObject({ code: "NOTFOUND" });
  });

  it("works for one controller", async () => {
    const list = await agents();
    const Work = controllerOf(() => list.transition("none", "running"));
    UseFilters(LatchkeyExceptionFilter)(Work);
    const { url } = await httpApp({ controllers: [Work] });
    expect((await fetch(url)).status).toBe(404);
  });

  it("answers with the entity that a wait saw last", async () => {
    const latchkey = await client();
    const list = await latchkey.machine(agent());
    await list.create("a1");
    await list.transition("a1", "killed");
    const error = await rejection(list.waitFor("a1", "completed"));
    expect(error).toBeInstanceOf(WaitError);
    const { status, body } = await answerTo(failWith(error));
    expect(status).toBe(409);
    expect(body).toMatchObject({ code: "FINAL", current: { state: "killed" } });
  });

  it("rejects an unknown option", () => {
    expect(() => new LatchkeyExceptionFilter(new HttpAdapterHost(), { curent: true } as object)).toThrow(
      expect.objectContaining({ code: "BADARG", message: expect.stringContaining('did you mean "current"') }),
    );
  });
});
