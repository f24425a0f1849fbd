import { refuse } from "../contract/arguments.js";

/** Location of a server. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly database: number;
  readonly username?: string;
  readonly password?: string;
  /** Sentinels that know the current primary; host and port are those of the first. */
  readonly sentinel?: SentinelGroup;
}

/** Sentinels, and their name of the primary. */
export interface SentinelGroup {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly primary: string;
}

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

/**
 * Reads a server's URL: `valkey://[user[:password]@]host[:port][/database]`, or, with Sentinels,
 * `valkey+sentinel://[user[:password]@]host[:port][,host[:port]…]/primary[/database]`; `valkeys` for TLS.
 *
 * @throws ContractError if it is invalid; the text never repeats the URL, which may contain a password
 */
export function parseAddress(url: string): Address {
  const sentinel = /^(?:valkey|redis)(s?)\+sentinel:\/\/(.*)$/s.exec(url);
  if (sentinel !== null) return parseSentinels(sentinel[2] ?? "", sentinel[1] === "s");
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    refuse(`invalid server URL; ${HINT}`);
  }
  const tls = SCHEMES.get(parsed.protocol);
  if (tls === undefined) refuse(`unsupported URL scheme ${parsed.protocol}//; ${HINT}`);
  if (parsed.hostname === "") refuse(`the server URL has no host; ${HINT}`);
  const database = parsed.pathname.replace(/^\//, "");
  if (!/^\d{0,5}$/.test(database)) refuse(`the database in the server URL is not a number; ${HINT}`);
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
  const { username, password } = parseAddress(`valkey://${credentials}${hosts.split(",")[0]}`);
  return {
    ...first,
    tls,
    database: Number(database),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    sentinel: { nodes, primary },
  };
}

function decoded(what: "user" | "password", text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    refuse(`the ${what} in the server URL contains a % that starts no escape: write %25; ${HINT}`);
  }
}

/** Formats an address without credentials. */
export function addressText({ host, port, tls, database, sentinel }: Address): string {
  const scheme = tls ? "valkeys" : "valkey";
  const path = database === 0 ? "" : `/${database}`;
  if (sentinel === undefined) return `${scheme}://${hostText(host, port)}${path}`;
  const nodes = sentinel.nodes.map((node) => hostText(node.host, node.port)).join(",");
  return `${scheme}+sentinel://${nodes}/${sentinel.primary}${path}`;
}

function hostText(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
