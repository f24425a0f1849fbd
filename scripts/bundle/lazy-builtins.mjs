// Loads some modules of Node at their first use: each costs a command milliseconds, and most commands use none of them.
import { createRequire } from "node:module";
import { promisify } from "node:util";

const require = createRequire(import.meta.url);
const LAZY = new Set(["assert", "child_process", "crypto", "dns", "tls", "tty"]);
const [AS_OBJECT, AS_NAMES] = ["\0lazy-object:", "\0lazy-names:"];

/** Makes the plugin. Only functions and classes of these modules can be used, and no class for `instanceof`. */
export function lazyBuiltins() {
  return {
    name: "lazy-builtins",
    resolveId(source, importer, { kind }) {
      const name = source.replace(/^node:/, "");
      if (importer?.startsWith("\0") || !LAZY.has(name)) return null;
      return (kind === "require-call" ? AS_OBJECT : AS_NAMES) + name;
    },
    load(id) {
      if (id.startsWith(AS_OBJECT)) {
        const name = id.slice(AS_OBJECT.length);
        return `const load = () => require("node:${name}");
          module.exports = new Proxy(() => {}, {
            get: (_, key) => load()[key],
            apply: (_, self, words) => load()(...words),
          });`;
      }
      if (!id.startsWith(AS_NAMES)) return null;
      const name = id.slice(AS_NAMES.length);
      // The bundler drops the names that nothing imports.
      const functions = Object.entries(require(name)).filter(([, value]) => typeof value === "function");
      return functions
        .map(([key, value]) => {
          if (/^[A-Z]/.test(key))
            return `export const ${key} = /* @__PURE__ */ new Proxy(class {}, {
              construct: (_, words) => Reflect.construct(require("node:${name}").${key}, words),
            });`;
          const call = `(...words) => require("node:${name}").${key}(...words)`;
          if (value[promisify.custom] === undefined) return `export const ${key} = ${call};`;
          // util.promisify takes another function for these, such as execFile.
          const custom = `(...words) => require("node:util").promisify(require("node:${name}").${key})(...words)`;
          return `export const ${key} = /* @__PURE__ */ Object.assign(${call}, { [Symbol.for("nodejs.util.promisify.custom")]: ${custom} });`;
        })
        .join("\n");
    },
  };
}
