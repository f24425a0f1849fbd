import { Valkey } from "iovalkey";

const SLOTS = 16_384;

/** Starts one server, or a cluster of primaries without replicas. Returns its URL and a client of each server. */
export async function startServers(startValkey, nodes) {
  const args = nodes === 1 ? [] : ["--cluster-enabled", "yes", "--cluster-node-timeout", "5000"];
  const started = [];
  const clients = [];
  const close = async () => {
    for (const client of clients) client.disconnect();
    await Promise.all(started.map((server) => server.stop()));
  };
  try {
    for (let node = 0; node < nodes; node += 1) {
      const server = await startValkey({ args, onNotice: (line) => console.error(line) });
      started.push(server);
      clients.push(new Valkey({ host: server.host, port: server.port }));
    }
    if (nodes > 1) await join(started, clients);
    const hosts = started.map(({ host, port }) => `${host}:${port}`);
    return { url: nodes === 1 ? started[0].url : `valkey+cluster://${hosts}`, clients, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Divides the slots among the nodes, and waits until all know it. */
async function join(servers, clients) {
  for (const [at, client] of clients.entries()) {
    const edge = (node) => Math.round((node * SLOTS) / clients.length);
    await client.call("CLUSTER", "SET-CONFIG-EPOCH", at + 1);
    await client.call("CLUSTER", "ADDSLOTSRANGE", edge(at), edge(at + 1) - 1);
    await client.call("CLUSTER", "MEET", servers[0].host, servers[0].port);
  }
  for (;;) {
    const infos = await Promise.all(clients.map((client) => client.call("CLUSTER", "INFO")));
    const isJoined = (info) =>
      info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${clients.length}`);
    if (infos.every(isJoined)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** CPU time of all servers' main threads, in µs: the time that a server with one core has to spare. */
export async function serverCpu(clients) {
  const infos = await Promise.all(clients.map((client) => client.info("cpu")));
  const parts = infos.flatMap((info) => [...info.matchAll(/used_cpu_(?:sys|user)_main_thread:([\d.]+)/g)]);
  return parts.reduce((sum, [, seconds]) => sum + Number(seconds) * 1e6, 0);
}

/** Memory of all servers, in bytes. */
export async function dataBytes(clients) {
  const infos = await Promise.all(clients.map((client) => client.info("memory")));
  return infos.reduce((sum, info) => sum + Number(/^used_memory:(\d+)/m.exec(info)?.[1]), 0);
}
