import { once } from "node:events";
import { createServer } from "node:net";
import { Random } from "../random.js";
import { type ActiveTreatment, ProxyConnection } from "./connection.js";
import { Copies } from "./copies.js";
import type { ClientFilter, Hits, NodeProxy } from "./proxy.js";

const EVERYBODY: ClientFilter = () => true;

/** Opens a proxy in front of a port of this machine. */
export async function openProxy(target: number, port = 0): Promise<NodeProxy> {
  const connections = new Set<ProxyConnection>();
  const copies = new Copies(target);
  const hits: Hits = {
    dropReply: 0,
    dropRequest: 0,
    resetMidRequest: 0,
    resetMidReply: 0,
    blackhole: 0,
    duplicate: 0,
    resend: 0,
    resendElsewhere: 0,
    strand: 0,
  };
  let active: ActiveTreatment | undefined;
  let which = EVERYBODY;

  const treatOne = (connection: ProxyConnection): void => {
    const treated = active !== undefined && which(connection.name) ? active : undefined;
    if (connection.active === treated) return;
    connection.active = treated;
    connection.pace(treated?.treatment.delayMs ?? 0, treated?.treatment.dripBytes ?? 0);
    if (treated?.treatment.partition === true) connection.discardAll();
  };
  const server = createServer((near) => {
    const connection = new ProxyConnection(near, target, copies, () => connections.delete(connection));
    connections.add(connection);
    connection.onName = () => treatOne(connection);
    treatOne(connection);
  });
  server.on("error", () => {}); // for example, too many open files: new connections fail
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");

  const cut = (chosen: (connection: ProxyConnection) => boolean): void => {
    for (const connection of [...connections]) if (chosen(connection)) connection.cut();
  };
  return {
    port: address.port,
    target,
    hits,
    treat: (treatment, seed, clients = EVERYBODY) => {
      active = { treatment, random: new Random(seed), hits };
      which = clients;
      for (const connection of connections) treatOne(connection);
    },
    heal: () => {
      active = undefined;
      for (const connection of connections) treatOne(connection);
      cut((connection) => connection.isBlackhole);
    },
    cut: (clients = EVERYBODY) => cut((connection) => clients(connection.name)),
    close: async () => {
      cut(() => true);
      copies.close();
      server.close();
      await once(server, "close");
    },
  };
}
