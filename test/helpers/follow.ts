import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import { startValkey, type TestServer } from "../../src/testing/index.js";
import { root } from "./built.js";
import { sharedFolder } from "./folder.js";
import { Reader } from "./reader.js";
import { snippets } from "./snippets.js";

/** Defines a test for each block of these Markdown files, except for those with the hint `skip`. */
export function followDocuments(paths: readonly string[]): void {
  const documents = paths
    .map((path) => [path, snippets(readFileSync(join(root, path), "utf8"))] as const)
    .filter(([, blocks]) => blocks.some((block) => block.check.kind !== "skip"));

  describe.each(documents)("what %s shows works as shown", (_, blocks) => {
    const folder = sharedFolder();
    let server: TestServer | undefined;
    let reader: Reader;

    beforeAll(async () => {
      server = await startValkey();
      reader = await Reader.open(folder, server, blocks);
    });

    afterAll(async () => {
      await server?.stop();
    });

    const steps = blocks
      .filter((block) => block.check.kind !== "skip")
      .map((block) => [`the ${block.language} block on line ${block.line}`, block] as const);
    test.for(steps)("%s", { timeout: 90_000 }, ([, block]) => reader.follow(block));
  });
}
