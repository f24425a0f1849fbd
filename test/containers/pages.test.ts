import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, test, vi } from "vitest";
import { freePort } from "../../src/server/port.js";
import { root } from "../helpers/built.js";
import { compose } from "../helpers/composed.js";
import { sharedFolder } from "../helpers/folder.js";
import { Reader } from "../helpers/reader.js";
import { type Snippet, snippets } from "../helpers/snippets.js";

// A busy machine needs minutes to start ten containers.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

/** The blocks of a page that need Docker, which the tests of the docs skip. What one block exports, the next ones have too. */
function dockerBlocks(page: string): Snippet[] {
  const all = snippets(readFileSync(join(root, `docs/operations/${page}.md`), "utf8"));
  const blocks = all.filter(({ check }) => check.kind === "skip" && check.reason === "needs Docker");
  let exports = "";
  return blocks.map(({ language, text, line }) => {
    const before = exports;
    if (language === "bash") exports += (text.match(/^export .*$/gm) ?? []).map((one) => `${one}\n`).join("");
    return {
      language,
      line,
      text: language === "bash" ? before + text : text,
      check: { kind: "test", exit: 0 },
    };
  });
}

describe.each(["standalone", "sentinel", "cluster", "containers"])("docs/operations/%s.md", (page) => {
  const blocks = dockerBlocks(page);
  const folder = sharedFolder();
  const env: NodeJS.ProcessEnv = {};
  let reader: Reader;

  beforeAll(async () => {
    const port = await freePort();
    const url = `valkey://127.0.0.1:${port}`;
    const images = ["LATCHKEY_VALKEY_IMAGE", "LATCHKEY_NODE_IMAGE"] as const;
    for (const name of images) env[name] = process.env[name];
    // The page on containers shows how to set the path of the file.
    env.COMPOSE_FILE = join(folder, "node_modules/latchkey/docker-compose.yml");
    env.COMPOSE_PROJECT_NAME = `latchkey-page-${port}`;
    env.VALKEY_PORT = String(port);
    reader = await Reader.open(folder, { url, host: "127.0.0.1", port }, blocks, env);
  });

  afterAll(() => {
    const { COMPOSE_FILE: _, ...rest } = env;
    compose(["--profile", "*", "down", "--volumes", "--timeout", "1"], rest);
  });

  const steps = blocks.map((block) => [`the ${block.language} block on line ${block.line}`, block] as const);
  test.for(steps)("works as shown: %s", ([, block]) => reader.follow(block));
});
