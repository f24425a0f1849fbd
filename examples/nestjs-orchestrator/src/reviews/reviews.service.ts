import { Injectable } from "@nestjs/common";
import type { Change } from "latchkey";
import { type EntitiesOf, InjectEntities, OnTransition } from "latchkey/nestjs";
import { agents } from "../agents/agents";
import { type ReviewFields, review } from "./review";

/** Opens a review for each agent that completes, and reports the verdict. */
@Injectable()
export class ReviewsService {
  constructor(@InjectEntities(review) readonly reviews: EntitiesOf<typeof review, ReviewFields>) {}

  /** Runs in one replica for each agent. An earlier attempt may have opened the review: then nothing is to be done. */
  @OnTransition({ machine: agents, on: ["agent.completed"], name: "open-review" })
  async open({ id, taskId }: Change): Promise<void> {
    const result = await this.reviews.tryCreate(id, { taskId: String(taskId) });
    if (!result.ok && result.outcome !== "EXISTS") throw result.error;
  }

  /** Reports the verdict to another system. If that fails, it is retried; the receiver ignores a key that it knows. */
  @OnTransition({ machine: review, on: ["review.approved", "review.rejected"], name: "report-review" })
  async report({ id, state, version }: Change, { signal }: { signal: AbortSignal }): Promise<void> {
    if (process.env.WEBHOOK_URL === undefined) return;
    const response = await fetch(process.env.WEBHOOK_URL, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": `${id}:${version}` },
      body: JSON.stringify({ agentId: id, verdict: state, replica: process.pid }),
      signal,
    });
    if (!response.ok) throw new Error(`the webhook answered ${response.status}`);
  }
}
