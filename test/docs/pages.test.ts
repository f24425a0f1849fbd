import { readdirSync } from "node:fs";
import { join } from "node:path";
import { root } from "../helpers/built.js";
import { followDocuments } from "../helpers/follow.js";

/** The pages of docs/, without docs/reference/api/, which is made from the docstrings. */
const pages = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".md") && !path.startsWith("reference/api/"))
  .map((path) => `docs/${path}`)
  .sort();

followDocuments(["CONTRIBUTING.md", ...pages]);
