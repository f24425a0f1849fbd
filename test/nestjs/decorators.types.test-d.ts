// Checked by the compiler alone: each line below an "expect-error" must not compile.
import type { HealthIndicatorFunction } from "@nestjs/terminus";
import type { Change, HandlerContext } from "../../src/index.js";
import { type LatchkeyHealthIndicator, OnChange, OnTransition } from "../../src/nestjs/index.js";
import { order } from "../helpers/nest-orders.js";

type OrderState = "open" | "paid" | "cancelled";

export class Accepted {
  @OnTransition({ machine: order, on: ["order.paid"], name: "a" })
  withoutParameters(): void {}

  @OnTransition({ machine: order, on: ["order.paid", "order.removed"], name: "b" })
  async all(_change: Change<OrderState>, { signal }: HandlerContext): Promise<void> {
    signal.throwIfAborted();
  }

  @OnTransition({ machine: order, name: "c" })
  ownFields({ customer }: Change<OrderState, { customer: string }>): void {
    customer?.trim();
  }

  @OnTransition({ machine: "order", on: ["order.paid"], name: "d" })
  byName(_change: Change): void {}

  @OnChange(order, ["order.paid"])
  change(_change: Change<OrderState>): void {}
}

export class Rejected {
  // @ts-expect-error a misspelt event
  @OnTransition({ machine: order, on: ["order.payed"], name: "a" })
  misspelt(): void {}

  // @ts-expect-error no name
  @OnTransition({ machine: order, on: ["order.paid"] })
  nameless(): void {}

  // @ts-expect-error a change of another machine
  @OnTransition({ machine: order, name: "b" })
  other(_change: Change<"running">): void {}

  // @ts-expect-error a misspelt option
  @OnTransition({ machine: order, name: "c", retry: { first: "1s" } })
  option(): void {}

  // @ts-expect-error a misspelt event
  @OnChange(order, ["order.payed"])
  changed(): void {}
}

declare const indicator: LatchkeyHealthIndicator;

/** The result fits Terminus. */
export const check: HealthIndicatorFunction = () => indicator.isHealthy("valkey");
