import type { ScalarTag, Tags } from "yaml";

const NUMBERS = new Set(["tag:yaml.org,2002:int", "tag:yaml.org,2002:float"]);

/**
 * Converts JSON to YAML in block style. Numbers keep their digits.
 *
 * @example await yamlOf('{"n":1.50}'); // "n: 1.50\n"
 */
export async function yamlOf(json: string): Promise<string> {
  const { parseDocument, visit } = await import("yaml");
  const document = parseDocument(json, {
    customTags: (tags) =>
      tags.map((tag) =>
        isNumber(tag) ? { ...tag, stringify: ({ source, value }) => source ?? String(value) } : tag,
      ),
  });
  visit(document, {
    Collection: (_, node) => {
      if (node.items.length > 0) node.flow = false;
    },
    Scalar: (_, node) => {
      // Drops quotes that YAML does not need.
      if (node.type === "QUOTE_DOUBLE") node.type = "PLAIN";
    },
  });
  return document.toString({ lineWidth: 0 });
}

function isNumber(tag: Tags[number]): tag is ScalarTag {
  return typeof tag !== "string" && NUMBERS.has(tag.tag);
}
