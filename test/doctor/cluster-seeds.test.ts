import { expect, test } from "vitest";
import { ownCluster, useCluster } from "../helpers/cluster.js";
import { ownServer, results } from "../helpers/doctor.js";

const seedsOf = async (url: string) =>
  (await results({ url, timeout: "1s" })).filter(({ id }) => id === "cluster/seeds");

test("accepts a URL that names nodes of one cluster", async () => {
  const { url } = await useCluster();
  expect(await seedsOf(url)).toMatchObject([
    { level: "ok", status: "all nodes of the URL belong to the cluster" },
  ]);
});

test("names the nodes of a URL that belong to another cluster", async () => {
  const { addresses } = await useCluster();
  const other = await ownCluster({ primaries: 1 });
  const [own = ""] = addresses;
  const [strange = ""] = other.addresses;
  const [result, ...more] = await seedsOf(`valkey+cluster://${own},${strange}`);
  expect(more).toEqual([]);
  expect(result?.level).toBe("fail");
  // Either of them may have replied first.
  expect([`${strange} belongs to another cluster`, `${own} belongs to another cluster`]).toContain(
    result?.status.replace(/, unlike .*$/, ""),
  );
});

test("names a single server in a URL, and a node that does not reply", async () => {
  const { addresses } = await useCluster();
  const { server } = await ownServer();
  const [own = ""] = addresses;
  const single = `127.0.0.1:${server.port}`;
  const all = await seedsOf(`valkey+cluster://${own},${single},127.0.0.1:1`);
  expect(all).toMatchObject([
    { level: "fail", status: expect.stringMatching(`^${single} is not a node of a cluster, unlike `) },
    { level: "warn", status: expect.stringMatching("^127.0.0.1:1 does not reply: connection refused") },
  ]);
});
