import { documentText, ownFields, type Snapshot } from "../../contract/document.js";

/** Lists the own fields of an entity with their JSON texts, as they are stored. */
export function ownFieldTexts(entity: Snapshot): (readonly [field: string, json: string])[] {
  const texts = jsonMembers(documentText(entity));
  return Object.keys(ownFields(entity)).map((field) => [field, texts.get(field) ?? "null"]);
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/gsu;

/**
 * Splits the text of a JSON object into its members. Each value keeps its own text, so that no digit is lost.
 *
 * @param json a text that JSON.parse accepts as an object
 * @example jsonMembers('{"n":1.50,"a":[1, 2]}'); // n: "1.50", a: "[1,2]"
 */
export function jsonMembers(json: string): Map<string, string> {
  const members = new Map<string, string>();
  let depth = 0;
  let key: string | undefined;
  let value = "";
  for (const [token] of json.matchAll(TOKEN)) {
    if (token === "}" || token === "]") depth -= 1;
    if (depth === 0 || (depth === 1 && token === ",")) {
      if (key !== undefined) members.set(key, value);
      key = undefined;
      value = "";
    } else if (depth === 1 && key === undefined) key = JSON.parse(token) as string;
    else if (depth > 1 || token !== ":" || value !== "") value += token;
    if (token === "{" || token === "[") depth += 1;
  }
  return members;
}
