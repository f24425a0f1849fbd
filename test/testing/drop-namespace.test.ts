import { expect, it, onTestFinished } from "vitest";
import { agent, connect } from "../../src/index.js";
import { dropNamespace } from "../../src/testing/drop-namespace.js";
import { useCluster } from "../helpers/cluster.js";
import { freshNamespace } from "../helpers/valkey.js";

it("all keys of a namespace are removed from every server of a cluster, and no others", async () => {
  const { url, nodes } = await useCluster();
  const [gone, kept] = [freshNamespace(), freshNamespace()];
  for (const namespace of [gone, kept]) {
    const latchkey = await connect({ url, namespace });
    onTestFinished(() => latchkey.close());
    await latchkey.init(8);
    const agents = await latchkey.machine(agent());
    await Promise.all(Array.from({ length: 24 }, (_, at) => agents.create(`a${at}`)));
    await latchkey.close();
  }
  const keysOf = async (namespace: string): Promise<string[]> =>
    (await Promise.all(nodes.map(({ admin }) => admin.keys(`{${namespace}*`)))).flat().sort();
  const before = await keysOf(kept);
  await dropNamespace(url, gone);
  expect(await keysOf(gone)).toEqual([]);
  expect(await keysOf(kept)).toEqual(before);
  expect(before.length).toBeGreaterThan(24);
});
