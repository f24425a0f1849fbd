import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import { startValkey, type TestServer } from "../../src/testing/index.js";
import { root } from "../helpers/built.js";
import { sharedFolder } from "../helpers/folder.js";
import { Reader } from "../helpers/reader.js";
import { snippets } from "../helpers/snippets.js";

/** The pages of docs/, without docs/reference/api/, which is made from the docstrings. */
const pages = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".md") && !path.startsWith("reference/api/"))
  .map((path) => `docs/${path}`)
  .sort();
const documents = ["README.md", "CONTRIBUTING.md", ...pages]
  .map((path) => [path, snippets(readFileSync(join(root, path), "utf8"))] as const)
  .filter(([, blocks]) => blocks.length > 0);

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

  const steps = blocks.map((block) => [`the ${block.language} block on line ${block.line}`, block] as const);
  test.for(steps)("%s", { timeout: 90_000 }, async ([, block], { skip }) => {
    if (block.check.kind === "skip") skip(block.check.reason);
    await reader.follow(block);
  });
});
