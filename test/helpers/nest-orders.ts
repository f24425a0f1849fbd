import type { INestApplicationContext, LoggerService, Type } from "@nestjs/common";
import { defineMachine } from "../../src/index.js";
import {
  type EntitiesOf,
  getEntitiesToken,
  type LatchkeyConnectionOptions,
  LatchkeyModule,
} from "../../src/nestjs/index.js";
import { startApp } from "./nest-app.js";
import { freshNamespace, useValkey } from "./valkey.js";

export const order = defineMachine({
  name: "order",
  version: 1,
  initial: "open",
  states: { open: { to: ["paid", "cancelled"] }, paid: {}, cancelled: {} },
});

export type Orders = EntitiesOf<typeof order>;

/** Options of a connection to a namespace of its own. */
export async function ownNamespace(): Promise<{ readonly url: string; readonly namespace: string }> {
  const { url } = await useValkey();
  return { url, namespace: freshNamespace() };
}

/** Starts an application with the order machine and these providers. */
export async function startOrders(
  options: LatchkeyConnectionOptions,
  providers: readonly Type[],
  logger?: LoggerService,
): Promise<{ readonly app: INestApplicationContext; readonly orders: Orders }> {
  const app = await startApp(
    {
      imports: [LatchkeyModule.forRoot(options), LatchkeyModule.forFeature([order])],
      providers: [...providers],
    },
    logger && { logger },
  );
  return { app, orders: app.get<Orders>(getEntitiesToken(order)) };
}
