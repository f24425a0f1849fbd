/**
 * Reads apt's sources, in both their formats, and writes the entry for a release's backports from the mirror
 * that the machine already uses. Pure text in, text out.
 */

/** The sources in one file: `{ types, uris, suites, components, options }` each, options as deb822 fields. */
export function parseAptSources(fileName, text) {
  return fileName.endsWith(".sources") ? parseStanzas(text) : parseLines(text);
}

/** Returns the `.sources` text that adds the backports of a release, or undefined if no mirror is known. */
export function backportsSource(sources, codename) {
  return suitesSource(sources, codename, [`${codename}-backports`]);
}

/**
 * Returns the `.sources` text for other suites of the mirror that a release comes from, or undefined if no mirror is known.
 * Signing keys, trust and architectures are those of the release's own entry.
 */
export function suitesSource(sources, codename, wanted) {
  const own = sources.find(({ types, suites }) => types.includes("deb") && suites.includes(codename));
  if (own === undefined) return undefined;
  const fields = [
    ["Types", "deb"],
    ["URIs", own.uris[0]],
    ["Suites", wanted.join(" ")],
    ["Components", own.components.includes("main") ? "main" : own.components.join(" ")],
    ...own.options,
  ];
  return fields.map(([name, value]) => `${name}: ${value}\n`).join("");
}

/** Returns true if a source already offers this suite, such as "bookworm-backports". */
export function offersSuite(sources, suite) {
  return sources.some(({ types, suites }) => types.includes("deb") && suites.includes(suite));
}

/** A one-line entry: `deb [signed-by=/key.gpg arch=amd64] http://mirror/debian bookworm main`. */
function parseLines(text) {
  return text.split("\n").flatMap((line) => {
    const match = /^\s*(deb|deb-src)\s+(?:\[([^\]]*)\]\s+)?([^#]+)/.exec(line);
    if (match === null) return [];
    const [, type, options = "", rest] = match;
    const [uri, suite, ...components] = rest.trim().split(/\s+/);
    if (uri === undefined || suite === undefined) return [];
    return [{ types: [type], uris: [uri], suites: [suite], components, options: lineOptions(options) }];
  });
}

const FIELD_OF_OPTION = {
  arch: "Architectures",
  "signed-by": "Signed-By",
  trusted: "Trusted",
  "check-valid-until": "Check-Valid-Until",
};

function lineOptions(text) {
  return [...text.matchAll(/([a-z-]+)=(\S+)/gi)].flatMap(([, name, value]) => {
    const field = FIELD_OF_OPTION[name.toLowerCase()];
    return field === undefined ? [] : [[field, value.replaceAll(",", " ")]];
  });
}

/** deb822: stanzas of `Field: value` separated by blank lines; a value goes on in indented lines. */
function parseStanzas(text) {
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  return lines
    .join("\n")
    .split(/\n\s*\n/)
    .flatMap((stanza) => {
      const fields = new Map();
      for (const [, name, value] of stanza.matchAll(/^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t].*)*)/gm)) {
        fields.set(name.toLowerCase(), value.trimEnd());
      }
      const words = (name) => (fields.get(name) ?? "").split(/\s+/).filter((word) => word !== "");
      if (words("uris").length === 0 || /^(no|false)$/i.test(fields.get("enabled") ?? "")) return [];
      const options = Object.values(FIELD_OF_OPTION).flatMap((name) => {
        const value = fields.get(name.toLowerCase());
        return value === undefined ? [] : [[name, value]];
      });
      const [types, uris, suites] = [words("types"), words("uris"), words("suites")];
      return [{ types, uris, suites, components: words("components"), options }];
    });
}
