// Collects what a person reads of a TypeScript or JavaScript file: comments, docstrings, and either its strings or its test titles.
import { parse } from "@babel/parser";
import { comment, joinLines, string } from "./text.mjs";

const TITLED = new Set(["it", "test", "describe"]);
const NOT_PROSE = new Set(["ImportDeclaration", "ExportAllDeclaration", "TSLiteralType", "ImportExpression"]);

/** Returns the comments, docstrings and, with `titles`, the titles of tests, else all strings of more than one word. */
export function codeTexts(source, { titles }) {
  const file = parse(source, {
    sourceType: "module",
    plugins: ["typescript", "decorators-legacy"],
    allowAwaitOutsideFunction: true,
    errorRecovery: true,
  });
  const strings = titles ? titleNodes(file.program) : stringNodes(file.program);
  return [
    ...comments(source, file.comments),
    ...strings.map((node) => string(source, literalParts(node), titles ? "title" : "string")),
  ].filter(({ kind, text }) => kind !== "string" || /[\s:]/.test(text.trim()));
}

function comments(source, found) {
  const lines = joinLines(
    source,
    found.filter(({ type }) => type === "CommentLine"),
  );
  const blocks = found.filter(({ type }) => type === "CommentBlock");
  return [
    ...lines.map(({ start, end }) => comment(source, start, end)),
    ...blocks.map(({ start, end, value }) =>
      comment(source, start, end, value.startsWith("*") ? "docstring" : "comment"),
    ),
  ];
}

function children(node) {
  return Object.entries(node)
    .filter(([key]) => key !== "loc" && !key.endsWith("Comments"))
    .flatMap(([, value]) => value)
    .filter((value) => typeof value?.type === "string");
}

function isString(node) {
  if (node.type === "StringLiteral") return node.end - node.start > 2;
  if (node.type === "TemplateLiteral") return true;
  return (
    node.type === "BinaryExpression" && node.operator === "+" && (isString(node.left) || isString(node.right))
  );
}

function stringNodes(node) {
  if (NOT_PROSE.has(node.type)) return [];
  return [...(isString(node) ? [node] : []), ...inside(node).flatMap(stringNodes)];
}

/** Returns the nodes below `node`, without the literals that are parts of the string `node` itself. */
function inside(node) {
  if (!isString(node)) return children(node);
  if (node.type === "BinaryExpression")
    return [node.left, node.right].flatMap((side) => (isString(side) ? inside(side) : [side]));
  return node.expressions ?? [];
}

function titleNodes(node) {
  const title =
    node.type === "CallExpression" && TITLED.has(root(node.callee)) ? node.arguments[0] : undefined;
  return [...(title !== undefined && isString(title) ? [title] : []), ...children(node).flatMap(titleNodes)];
}

/** Returns the name at the start of `it.each(rows)` or `describe.skipIf(condition)`. */
function root(callee) {
  if (callee.type === "MemberExpression") return root(callee.object);
  if (callee.type === "CallExpression" || callee.type === "TaggedTemplateExpression")
    return root(callee.callee ?? callee.tag);
  return callee.name;
}

function literalParts(node) {
  const { start, end } = node;
  if (node.type === "StringLiteral") return [{ start: start + 1, end: end - 1 }];
  if (node.type === "TemplateLiteral") {
    return node.quasis.flatMap((quasi, index) => {
      const next = node.quasis[index + 1];
      return next === undefined ? [quasi] : [quasi, { start: quasi.end, end: next.start, hole: true }];
    });
  }
  if (isString(node)) return [...literalParts(node.left), ...literalParts(node.right)];
  return [{ start, end, hole: true }];
}
