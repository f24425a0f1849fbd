import { checkObject, checkOptions, checkTypes, checkWhole, refuse } from "../contract/arguments.js";
import { DEFAULT_NAMESPACE, type SentinelOptions } from "./connection-options.js";

/** Rejects a database that would share its channels with another one. */
export function checkDatabase(database: number, namespace: string | undefined): void {
  if (database === 0 || namespace !== DEFAULT_NAMESPACE) return;
  refuse(
    `database ${database} cannot be used with the namespace "${namespace}": publish/subscribe ignores databases, so two ` +
      "applications would receive each other's events; use a namespace of your own (option namespace, --namespace or " +
      "LATCHKEY_NAMESPACE)",
  );
}

/** Checks the options for Sentinels. */
export function checkSentinel(sentinel: SentinelOptions): void {
  checkOptions(sentinel, ["username", "password", "natMap"], "sentinel");
  const { username, password, natMap = {} } = sentinel;
  checkTypes("string", { "sentinel.username": username, "sentinel.password": password });
  checkObject("sentinel.natMap", natMap, " of addresses");
  for (const [named, to] of Object.entries(natMap)) {
    const name = `sentinel.natMap["${named}"]`;
    if (!/^.+:\d+$/.test(named))
      refuse(`${name}: the name must be host:port, as the Sentinels name the server`);
    checkObject(name, to, " (of host, port)");
    checkOptions(to, ["host", "port"], name);
    if (typeof to.host !== "string" || to.host === "") refuse(`${name}.host must be the name of a host`);
    checkWhole(`${name}.port`, to.port, 1, 65_535);
  }
}
