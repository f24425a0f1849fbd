import { documentText, ownFields, type Snapshot } from "../../contract/document.js";
import { jsonMembers } from "./json-members.js";

/** An entity's own fields with their JSON texts, as they are stored. */
export function ownFieldTexts(entity: Snapshot): (readonly [field: string, json: string])[] {
  const texts = jsonMembers(documentText(entity));
  return Object.keys(ownFields(entity)).map((field) => [field, texts.get(field) ?? "null"]);
}
