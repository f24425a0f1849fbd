// A typedoc plugin that fits the pages to their readers.
import { Comment, CommentTag, Converter, PageEvent, ReflectionKind } from "typedoc";

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const declared of project.getReflectionsByKind(ReflectionKind.Class)) {
      if (extendsError(declared)) addToGroup(declared, "Errors");
    }
    // A constructor without a docstring is called by latchkey only.
    for (const member of project.getReflectionsByKind(ReflectionKind.Constructor)) {
      if (!member.signatures?.some((signature) => signature.comment)) project.removeReflection(member);
    }
    // The value of a variable can be the text of every script.
    for (const variable of project.getReflectionsByKind(ReflectionKind.Variable))
      delete variable.defaultValue;
  });
  app.renderer.on(PageEvent.END, (page) => {
    page.contents = withContents(page.contents);
  });
}

function extendsError({ extendedTypes = [] }) {
  return extendedTypes.some(
    (type) => type.name === "Error" || (type.reflection && extendsError(type.reflection)),
  );
}

function addToGroup(declared, group) {
  declared.comment ??= new Comment();
  declared.comment.blockTags.push(new CommentTag("@group", [{ kind: "text", text: group }]));
}

/** Puts links to the declarations of each group above the first group. */
function withContents(page) {
  const lines = [];
  for (const { depth, title, anchor } of headings(page)) {
    if (depth === 2) lines.push(`- **${title}**: `);
    if (depth === 3 && lines.length > 0) {
      const group = lines.pop();
      lines.push(`${group}${group.endsWith(": ") ? "" : ", "}[${title}](#${anchor})`);
    }
  }
  return lines.some((line) => line.includes("](#"))
    ? page.replace(/^## /m, `${lines.join("\n")}\n\n## `)
    : page;
}

/** Yields the headings with the anchors that GitHub gives them: a repeated one is numbered. */
function* headings(page) {
  const times = new Map();
  for (const [, marks, title] of page.replace(/^```.*?^```/gms, "").matchAll(/^(#+) (.*)$/gm)) {
    const slug = title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .trim()
      .replaceAll(" ", "-");
    const repeated = times.get(slug) ?? 0;
    times.set(slug, repeated + 1);
    yield { depth: marks.length, title, anchor: repeated === 0 ? slug : `${slug}-${repeated}` };
  }
}
