// The replaced service: GET, GET, SET, PUBLISH, with a mutex for each agent in the process.
import { Valkey } from "iovalkey";
import { ReplacedService } from "../../../dist/demo/replaced-service.js";

export const name = "replaced service";

export async function open({ url }) {
  const client = new Valkey(url);
  client.on("error", () => {});
  const service = new ReplacedService(client, { prefix: "replaced" });
  const decide = (call) =>
    call.then(
      () => true,
      (error) => {
        if (/^Invalid state transition|not found$/.test(error.message)) return false;
        throw error;
      },
    );
  return {
    create: (id) => service.registerSpawnedAgent(id, "t-1234567"),
    run: async (id) => ((await decide(service.transitionToRunning(id))) ? id : null),
    patch: (id, field, value) => decide(service.updateMetadata(id, { [field]: value })),
    complete: (id) => decide(service.transitionToCompleted(id)),
    kill: (id) => decide(service.transitionToKilled(id)),
    async read(id) {
      const agent = await service.getAgentLifecycleState(id);
      return agent && { state: agent.status, fields: agent.metadata ?? {} };
    },
    async listen(listener) {
      const subscriber = new Valkey(url);
      subscriber.on("error", () => {});
      subscriber.on("message", (_, text) => {
        const { agentId, type, metadata } = JSON.parse(text);
        const [field] = Object.entries(metadata ?? {});
        listener(agentId, field === undefined ? type.replace("agent.", "") : field.join("="));
      });
      await subscriber.subscribe(service.channel);
      return { close: () => subscriber.disconnect() };
    },
    close: () => client.disconnect(),
  };
}
