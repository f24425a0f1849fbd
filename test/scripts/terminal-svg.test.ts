import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../helpers/built.js";
import { freshFolder } from "../helpers/folder.js";

const program = join(root, "scripts/terminal-svg.mjs");

/** Draws recorded terminal output and returns the picture. */
async function draw(output: string): Promise<string> {
  const picture = join(await freshFolder(), "picture.svg");
  execFileSync(process.execPath, [program, picture], { input: output });
  return readFileSync(picture, "utf8");
}

/** The texts of a picture from top to bottom, with plain spaces. */
function texts(picture: string): string[] {
  return [...picture.matchAll(/<text [^>]*>([^<]*)</g)].map(([, text = ""]) =>
    text.replaceAll("\u00a0", " "),
  );
}

describe("the terminal picture", () => {
  test("shows the lines that are on the screen at the end, without those that were drawn over", async () => {
    const output = "title\r\nold 1\r\nold 2\r\n\u001b[2A\r\u001b[Jnew  1\r\n\u001b[?25hend\r\n";
    expect(texts(await draw(output))).toEqual(["title", "new  1", "end"]);
  });

  test("keeps colours and weights, draws bars as rectangles, and escapes what XML reserves", async () => {
    const picture = await draw("\u001b[31m<red>\u001b[0m & \u001b[1mbold\u001b[0m \u001b[32m███\u001b[0m\n");
    expect(picture).toContain('fill="#f26d78">&#60;red&#62;</text>');
    expect(picture).toContain('font-weight="bold">bold</text>');
    expect(picture).toMatch(/<rect x="[\d.]+" y="\d+" width="25.2" height="14" fill="#7fd88f"\/>/);
  });

  test("is the same for the same output", async () => {
    expect(await draw("a \u001b[36mb\u001b[0m\n")).toBe(await draw("a \u001b[36mb\u001b[0m\n"));
  });

  test("is not drawn if the output has a control that would change the screen unseen", async () => {
    const picture = join(await freshFolder(), "picture.svg");
    const { status, stderr } = spawnSync(process.execPath, [program, picture], {
      input: "\u001b[3Lx",
      encoding: "utf8",
    });
    expect(status).toBe(1);
    expect(stderr).toContain('unsupported control "\\u001b[3L"');
  });
});
