// The servers of the bench, and the places at which the sides reach them.
import { Valkey } from "iovalkey";
import { startPostgres } from "./postgres.mjs";
import { startProxy } from "./proxy.mjs";

/** Delay of the network in each direction. */
const DELAY_MS = 1;
/** Number of processes in a fault run; a route of its own for each of them, and one for the listener. */
export const REPLICAS = 4;

/**
 * Starts the servers. `network` and `loopback` use settings that can lose the last second in a power failure (AOF
 * everysec, synchronous_commit off); at `disk` every change is on disk before its reply (always, on).
 */
export async function openPlaces(startValkey, say) {
  const stops = [];
  const stop = async () => {
    for (const end of stops.reverse()) await end();
  };
  try {
    const valkey = async (appendfsync) => {
      const args = [
        "--appendfsync",
        appendfsync,
        "--auto-aof-rewrite-percentage",
        "0",
        "--maxclients",
        "4000",
      ];
      const server = await startValkey({ appendOnly: true, args, onNotice: say });
      stops.push(() => server.stop());
      return server;
    };
    const [relaxed, strict] = [await valkey("everysec"), await valkey("always")];
    const postgres = await startPostgres();
    if (postgres === undefined) say("SKIPPED: PostgreSQL is not installed: apt-get install postgresql");
    else stops.push(() => postgres.stop());
    const valkeyRoutes = Array(REPLICAS + 2).fill(relaxed.port);
    const targets = [...valkeyRoutes, ...(postgres ? Array(REPLICAS + 2).fill(postgres.port) : [])];
    const proxy = await startProxy(DELAY_MS, targets);
    stops.push(() => proxy.stop());
    const at = (server, valkeyPort, postgresPort, commit) => ({
      pids: { valkey: server.pid, postgres: postgres?.pid },
      address: {
        url: `redis://127.0.0.1:${valkeyPort}`,
        ...(postgres && { postgres: postgresUrl(postgresPort, commit) }),
      },
    });
    const routed = (route) => {
      const ports = [proxy.ports[route], proxy.ports[route + REPLICAS + 2]];
      return { ...at(relaxed, ...ports, "off"), routes: { valkey: route, postgres: route + REPLICAS + 2 } };
    };
    return {
      places: {
        network: routed(0),
        loopback: at(relaxed, relaxed.port, postgres?.port, "off"),
        disk: at(strict, strict.port, postgres?.port, "on"),
      },
      /** Routes of their own for the processes of a fault run, and the last one for the listener. */
      cuttable: Array.from({ length: REPLICAS + 1 }, (_, i) => routed(i + 1)),
      proxy,
      postgres: postgres?.version,
      versions: `${await nameOf(relaxed)}${postgres ? ` and PostgreSQL ${postgres.version}` : ""}`,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function postgresUrl(port, commit) {
  const options = encodeURIComponent(`-c synchronous_commit=${commit}`);
  return `postgres://postgres@127.0.0.1:${port}/postgres?options=${options}`;
}

async function nameOf({ host, port }) {
  const client = new Valkey(port, host);
  const info = await client.info("server");
  client.disconnect();
  const valkey = /valkey_version:(\S+)/.exec(info)?.[1];
  return valkey === undefined ? `Redis ${/redis_version:(\S+)/.exec(info)?.[1]}` : `Valkey ${valkey}`;
}
