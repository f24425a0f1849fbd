/** Location of a server. */
export interface Address {
  /** Empty if `path` is set. */
  readonly host: string;
  readonly port: number;
  /** Path of a Unix socket. */
  readonly path?: string;
  readonly tls: boolean;
  readonly database: number;
  readonly username?: string;
  readonly password?: string;
  /** Nodes of a cluster; host and port are those of the first. */
  readonly cluster?: readonly { readonly host: string; readonly port: number }[];
  /** Sentinels that know the current primary; host and port are those of the first. */
  readonly sentinel?: SentinelGroup;
}

/** Sentinels, and their name of the primary. */
export interface SentinelGroup {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly primary: string;
}

/** Formats an address without credentials. */
export function addressText({ host, port, path, tls, database, sentinel, cluster }: Address): string {
  if (path !== undefined) return `unix://${path}`;
  const scheme = tls ? "valkeys" : "valkey";
  if (cluster !== undefined)
    return `${scheme}+cluster://${cluster.map((node) => hostText(node.host, node.port)).join(",")}`;
  const suffix = database === 0 ? "" : `/${database}`;
  if (sentinel === undefined) return `${scheme}://${hostText(host, port)}${suffix}`;
  const nodes = sentinel.nodes.map((node) => hostText(node.host, node.port)).join(",");
  return `${scheme}+sentinel://${nodes}/${sentinel.primary}${suffix}`;
}

/** Formats a host and its port. */
export function hostText(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
