// Makes the client start faster in a bundle.

/** Parts that the command line never uses. */
const UNUSED = {
  "./cluster": "exports.default = undefined;",
  // Traces of the client would show passwords and scripts.
  debug: "exports.default = () => ({ enabled: false });",
};
const PREFIX = "\0unused:";

/**
 * Makes the plugin.
 *
 * @param isNamed returns true if the bundled code contains the name of a command
 */
export function leanClient(isNamed) {
  return {
    name: "lean-client",
    resolveId(source, importer = "") {
      const isUnused = importer.includes("/iovalkey/built/") && Object.hasOwn(UNUSED, source);
      return isUnused ? PREFIX + source : null;
    },
    load(id) {
      return id.startsWith(PREFIX) ? UNUSED[id.slice(PREFIX.length)] : null;
    },
    transform(code, id) {
      // The client makes two methods of each command, and V8 is slow in adding many to a prototype.
      if (!id.endsWith("/@iovalkey/commands/dist/commands.json")) return null;
      return JSON.stringify(
        Object.fromEntries(Object.entries(JSON.parse(code)).filter(([name]) => isNamed(name))),
      );
    },
  };
}
