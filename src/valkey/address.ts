/** Where a server is, without credentials: for messages and logs. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly tls: boolean;
  readonly database: number;
  readonly username?: string;
  readonly password?: string;
}

const SCHEMES = new Map([
  ["valkey:", false],
  ["redis:", false],
  ["valkeys:", true],
  ["rediss:", true],
]);

const HINT = "write it like valkey://localhost:6379 (valkeys:// for TLS)";

/**
 * Reads a server's URL: `valkey://[user[:password]@]host[:port][/database]`, `valkeys://` for TLS.
 *
 * @throws TypeError when it is none; the text never repeats the URL, which may hold a password.
 */
export function parseAddress(url: string): Address {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new TypeError(`the server's URL can't be read; ${HINT}`);
  }
  const tls = SCHEMES.get(parsed.protocol);
  if (tls === undefined) throw new TypeError(`${parsed.protocol}// is no scheme of a Valkey server; ${HINT}`);
  if (parsed.hostname === "") throw new TypeError(`the server's URL names no host; ${HINT}`);
  const database = parsed.pathname.replace(/^\//, "");
  if (!/^\d{0,5}$/.test(database))
    throw new TypeError(`the database in the server's URL is no number; ${HINT}`);
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ""),
    port: parsed.port === "" ? 6379 : Number(parsed.port),
    tls,
    database: Number(database),
    ...(parsed.username !== "" && { username: decoded("user", parsed.username) }),
    ...(parsed.password !== "" && { password: decoded("password", parsed.password) }),
  };
}

function decoded(what: "user" | "password", text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TypeError(
      `the ${what} in the server's URL holds a % that is none of its escapes: write %25 for it; ${HINT}`,
    );
  }
}

/** The address as it may be shown. */
export function addressText({ host, port, tls, database }: Address): string {
  const shownHost = host.includes(":") ? `[${host}]` : host;
  return `${tls ? "valkeys" : "valkey"}://${shownHost}:${port}${database === 0 ? "" : `/${database}`}`;
}
