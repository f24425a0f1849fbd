// Knows which module imports which, so that a bundle can be divided by use.

/** Records the static and dynamic imports of each module while the bundler reads it. */
export function moduleGraph() {
  const imports = new Map();
  const dynamic = new Map();
  const plugin = {
    name: "module-graph",
    moduleParsed({ id, importedIds, dynamicallyImportedIds }) {
      imports.set(id, importedIds);
      dynamic.set(id, dynamicallyImportedIds);
    },
  };
  /** Returns the modules that these import, directly or not, and these themselves. */
  function reach(ids, except = new Set()) {
    const reached = new Set();
    const rest = [...ids];
    for (let id = rest.pop(); id !== undefined; id = rest.pop()) {
      if (reached.has(id) || except.has(id)) continue;
      reached.add(id);
      rest.push(...(imports.get(id) ?? []));
    }
    return reached;
  }
  return { plugin, reach, dynamicImports: (id) => dynamic.get(id) ?? [] };
}
