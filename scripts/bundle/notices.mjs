// Collects the licences of the packages whose code is part of a bundle.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Returns the text of the notices. @param ids the modules of the bundle */
export function notices(ids) {
  const folders = new Set(ids.flatMap((id) => id.match(/^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0] ?? []));
  const texts = [...folders].map((folder) => notice(folder)).sort();
  return `The files in this folder contain code of these packages.\n\n${texts.join("\n")}`;
}

function notice(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  if (file === undefined) throw new Error(`${name} has no licence file, so its code cannot be bundled`);
  const text = readFileSync(join(folder, file), "utf8").trim();
  return `${"-".repeat(80)}\n${name} ${version} (${license})\n\n${text}\n`;
}
