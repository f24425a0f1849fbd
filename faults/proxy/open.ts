import { once } from "node:events";
import { createServer } from "node:net";
import { Random } from "../random.js";
import { type Course, Line } from "./line.js";
import type { Hits, NodeProxy, WhichClients } from "./proxy.js";

const EVERYBODY: WhichClients = () => true;

/** Opens a proxy in front of a port of this machine. */
export async function openProxy(target: number, port = 0): Promise<NodeProxy> {
  const lines = new Set<Line>();
  const hits: Hits = {
    dropReply: 0,
    dropRequest: 0,
    resetMidRequest: 0,
    resetMidReply: 0,
    blackhole: 0,
    duplicate: 0,
  };
  let course: Course | undefined;
  let which = EVERYBODY;

  const treatOne = (line: Line): void => {
    const treated = course !== undefined && which(line.name) ? course : undefined;
    if (line.course === treated) return;
    line.course = treated;
    line.pace(treated?.treatment.delayMs ?? 0, treated?.treatment.dripBytes ?? 0);
    if (treated?.treatment.partition === true) line.swallowAll();
  };
  const server = createServer((near) => {
    const line = new Line(near, target, () => lines.delete(line));
    lines.add(line);
    line.onName = () => treatOne(line);
    treatOne(line);
  });
  server.on("error", () => {}); // too many open files, say: those who wanted in are turned away
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the proxy has no port");

  const cut = (chosen: (line: Line) => boolean): void => {
    for (const line of [...lines]) if (chosen(line)) line.cut();
  };
  return {
    port: address.port,
    target,
    hits,
    treat: (treatment, seed, clients = EVERYBODY) => {
      course = { treatment, random: new Random(seed), hits };
      which = clients;
      for (const line of lines) treatOne(line);
    },
    heal: () => {
      course = undefined;
      for (const line of lines) treatOne(line);
      cut((line) => line.isHole);
    },
    cut: (clients = EVERYBODY) => cut((line) => clients(line.name)),
    close: async () => {
      cut(() => true);
      server.close();
      await once(server, "close");
    },
  };
}
