/** The parts of a server's URL that the demo needs. */
export interface UrlParts {
  /** Scheme that every Redis client knows: `redis` or `rediss`. */
  readonly scheme: string;
  /** `user:password@`, or nothing. */
  readonly user: string;
  /** `host:port` of the server, or of several nodes of a cluster. */
  readonly hosts: readonly string[];
  readonly isCluster: boolean;
  /** The URL without user and password. */
  readonly address: string;
}

/** Splits the URL of a server or of a cluster. */
export function urlParts(url: string): UrlParts {
  const [, scheme = "", cluster = "", user = "", hosts = ""] =
    /^(\w+)(\+cluster)?:\/\/(?:([^/]*)@)?(.*)$/.exec(url) ?? [];
  return {
    scheme: scheme.replace("valkey", "redis"),
    user: user === "" ? "" : `${user}@`,
    hosts: hosts.split(","),
    isCluster: cluster !== "",
    address: `${scheme}${cluster}://${hosts}`,
  };
}

/** Returns the URL of one server, with a scheme that every Redis client knows. @param host one of `hosts` */
export function plainUrl(url: string, host?: string): string {
  const { scheme, user, hosts } = urlParts(url);
  return `${scheme}://${user}${host ?? hosts[0] ?? ""}`;
}
