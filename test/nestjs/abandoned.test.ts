import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { OnApplicationBootstrap } from "@nestjs/common";
import { Test } from "@nestjs/testing";
import { expect, it } from "vitest";
import { agent } from "../../src/index.js";
import { getLatchkeyToken, LatchkeyModule } from "../../src/nestjs/index.js";
import { rejection } from "../helpers/client.js";
import { connectionsNamed, recordingNestLogger, startApp } from "../helpers/nest-app.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Waits until no connection of the name is open, while the garbage collector runs. */
async function expectClosed(name: string): Promise<void> {
  await expect
    .poll(async () => {
      collectGarbage();
      return connectionsNamed(name);
    })
    .toBe(0);
}

async function roots() {
  const { url } = await useValkey();
  const namespace = freshNamespace();
  const root = LatchkeyModule.forRoot({ url, namespace, connectionName: namespace, sweep: true });
  return { namespace, imports: [root, LatchkeyModule.forFeature([agent()])] };
}

it("closes the connection of an application if another provider cannot be made", async () => {
  const { namespace, imports } = await roots();
  const broken = {
    provide: "BROKEN",
    inject: [getLatchkeyToken()],
    useFactory: async () => {
      expect(await connectionsNamed(namespace)).toBe(1);
      throw new Error("broken");
    },
  };
  expect((await rejection(startApp({ imports, providers: [broken] }))).message).toBe("broken");
  await expectClosed(namespace);
});

it("closes the connection of an application if a hook of another provider fails", async () => {
  const { namespace, imports } = await roots();
  class Broken implements OnApplicationBootstrap {
    onApplicationBootstrap() {
      throw new Error("broken");
    }
  }
  const start = async () => {
    const app = await Test.createTestingModule({ imports, providers: [Broken] })
      .setLogger(recordingNestLogger().logger)
      .compile();
    await app.init();
  };
  expect((await rejection(start())).message).toBe("broken");
  await expectClosed(namespace);
});
