import { refuse } from "../contract/arguments.js";
import type { Address } from "./address.js";
import { rejectUrlSettings } from "./url-settings.js";

const SCHEMES = new Map([
  ["valkey:", false],
  ["redis:", false],
  ["valkeys:", true],
  ["rediss:", true],
]);

const HINT = "write it like valkey://localhost:6379 (valkeys:// for TLS)";

const SENTINEL_HINT =
  "write it like valkey+sentinel://host1:26379,host2:26379/primary-name (valkeys+sentinel:// for TLS)";
const SENTINEL_PORT = 26_379;

const SOCKET_HINT = "write it like unix:///run/valkey/valkey.sock";

/**
 * Reads a server's URL:
 * - `valkey://[user[:password]@]host[:port][/database]`,
 * - with Sentinels `valkey+sentinel://[user[:password]@]host[:port][,host[:port]…]/primary[/database]`,
 * - for a Unix socket `unix://[user[:password]@]/path`.
 *
 * `valkeys` means TLS. `redis`, `rediss` and `valkey+unix` are accepted too.
 *
 * @throws ContractError if a part is not understood; the text never repeats the URL, which may contain a password
 */
export function parseAddress(text: string): Address {
  const url = text.trim();
  const [, scheme = "", rest = ""] =
    /^((?:(?:valkey|redis)s?\+)?(?:sentinel|unix)):\/\/(.*)$/s.exec(url) ?? [];
  if (scheme !== "" || SCHEMES.has(`${url.split(":", 1)}:`)) rejectUrlSettings(url);
  const sentinel = /^(?:valkey|redis)(s?)\+sentinel$/.exec(scheme);
  if (sentinel !== null) return parseSentinels(rest, sentinel[1] === "s");
  if (/^((valkey|redis)\+)?unix$/.test(scheme)) return parseSocket(rest);
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    refuse(`invalid server URL; ${HINT}; in a user or password, write / as %2F and @ as %40`);
  }
  const tls = SCHEMES.get(parsed.protocol);
  if (tls === undefined) refuse(`unsupported URL scheme ${parsed.protocol}//; ${HINT}`);
  if (parsed.hostname === "") refuse(`the server URL has no host; ${HINT}`);
  const database = parsed.pathname.replace(/^\//, "");
  if (!/^\d{0,5}$/.test(database))
    refuse(`the path of the server URL must be the number of a database; ${HINT}`);
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ""),
    port: parsed.port === "" ? 6379 : Number(parsed.port),
    tls,
    database: Number(database),
    ...(parsed.username !== "" && { username: decoded("user", parsed.username) }),
    ...(parsed.password !== "" && { password: decoded("password", parsed.password) }),
  };
}

/** Reads each host as a URL of its own, because a URL has only one. */
function parseSentinels(rest: string, tls: boolean): Address {
  const match = /^(?:([^@/]*@))?([^@/]+)\/([A-Za-z0-9._-]+)(?:\/(\d{1,5}))?$/.exec(rest);
  if (match === null) refuse(`invalid Sentinel URL; ${SENTINEL_HINT}`);
  const [, credentials = "", hosts = "", primary = "", database = "0"] = match;
  const nodes = hosts.split(",").map((host) => {
    if (!URL.canParse(`valkey://${host}`)) refuse(`invalid Sentinel URL; ${SENTINEL_HINT}`);
    const node = parseAddress(`valkey://${host}`);
    return { host: node.host, port: new URL(`valkey://${host}`).port === "" ? SENTINEL_PORT : node.port };
  });
  const [first] = nodes;
  if (first === undefined) refuse(`invalid Sentinel URL; ${SENTINEL_HINT}`);
  return {
    ...first,
    tls,
    database: Number(database),
    ...credentialsOf(credentials),
    sentinel: { nodes, primary },
  };
}

function parseSocket(rest: string): Address {
  const [, credentials = "", path = ""] = /^([^/]*@)?(\/.*[^/])$/s.exec(rest) ?? [];
  if (path === "") refuse(`a Unix socket needs an absolute path; ${SOCKET_HINT}`);
  return {
    host: "",
    port: 0,
    path: decoded("path", path),
    tls: false,
    database: 0,
    ...credentialsOf(credentials),
  };
}

/** Reads `user:password@`. */
function credentialsOf(text: string): Pick<Address, "username" | "password"> {
  const { username, password } = parseAddress(`valkey://${text}localhost`);
  return { ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
}

function decoded(what: "user" | "password" | "path", text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    refuse(`the ${what} in the server URL contains a % that starts no escape: write %25; ${HINT}`);
  }
}
