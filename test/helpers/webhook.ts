import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished } from "vitest";

/** One call of a webhook. */
export interface WebhookCall {
  readonly key: string;
  // biome-ignore lint/suspicious/noExplicitAny: what the application sends
  readonly body: any;
  /** True if the caller has closed the connection before the answer. */
  readonly isAborted: () => boolean;
  /** Answers with 200. */
  readonly answer: () => void;
}

/** Another system that an application reports to. Its calls wait until the test answers them. */
export class Webhook {
  readonly calls: WebhookCall[] = [];
  readonly #server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    this.calls.push(callOf(String(request.headers["idempotency-key"]), Buffer.concat(chunks), response));
  });

  /** Starts it for one test. @returns the webhook, and its address */
  static async start(): Promise<{ readonly webhook: Webhook; readonly url: string }> {
    const webhook = new Webhook();
    const server = webhook.#server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return { webhook, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }

  /** Waits for the n-th call, from 1. */
  async call(n: number): Promise<WebhookCall> {
    await expect.poll(() => this.calls.length).toBeGreaterThanOrEqual(n);
    const call = this.calls[n - 1];
    if (call === undefined) throw new Error("unreachable");
    return call;
  }
}

function callOf(key: string, body: Buffer, response: ServerResponse): WebhookCall {
  return {
    key,
    body: JSON.parse(body.toString()),
    isAborted: () => response.destroyed && !response.writableEnded,
    answer: () => void response.end(),
  };
}
