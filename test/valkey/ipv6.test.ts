import dns from "node:dns";
import { once } from "node:events";
import { type AddressInfo, createConnection, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { expect, it, onTestFinished, vi } from "vitest";
import { connect } from "../../src/index.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const hasIpv6 = Object.values(networkInterfaces())
  .flat()
  .some((one) => one?.address === "::1");

it.runIf(hasIpv6)("a server whose name has only an IPv6 address is reached", async () => {
  const { host, port } = await useValkey();
  const server = createServer((socket) => {
    const upstream = createConnection(port, host);
    socket.pipe(upstream).pipe(socket);
    for (const end of [socket, upstream]) end.on("error", () => end.destroy());
  }).listen(0, "::1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  // Resolves one name more than this host knows, as a DNS server with an AAAA record does.
  const { lookup } = dns;
  const spy = vi.spyOn(dns, "lookup") as unknown as ReturnType<typeof vi.fn>;
  onTestFinished(() => spy.mockRestore());
  spy.mockImplementation(
    (name: string, options: dns.LookupOptions, callback: (...reply: unknown[]) => void) => {
      if (name !== "six.invalid") return lookup(name, options, callback);
      if (options.family === 4) return callback(Object.assign(new Error("ENOTFOUND"), { code: "ENOTFOUND" }));
      if (options.all === true) return callback(null, [{ address: "::1", family: 6 }]);
      callback(null, "::1", 6);
    },
  );
  const url = `valkey://six.invalid:${(server.address() as AddressInfo).port}`;
  await using latchkey = await connect({ url, namespace: freshNamespace() });
  expect(await latchkey.machines()).toEqual([]);
});
