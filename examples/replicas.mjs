// Three replicas want to start the same agents, all at once. Each agent is started by exactly one of them.
//
//   node examples/replicas.mjs        VALKEY_URL names the server, valkey://localhost:6379 if absent
import { agent, connect } from "latchkey";

const AGENTS = 30;
const url = process.env.VALKEY_URL ?? "valkey://localhost:6379";
const open = async (name) => {
  const latchkey = await connect({ url, namespace: "examples", connectionName: name });
  return { name, latchkey, agents: await latchkey.machine(agent()), wins: 0, losses: 0 };
};
const replicas = await Promise.all(["replica-1", "replica-2", "replica-3"].map(open));

const run = Date.now();
for (let number = 1; number <= AGENTS; number += 1) {
  const id = `race-${run}-${number}`;
  await replicas[0].agents.create(id, { taskId: `task-${number}` });
  await Promise.all(
    replicas.map(async (replica) => {
      const result = await replica.agents.tryTransition(id, "running", { actor: replica.name });
      if (result.ok) replica.wins += 1;
      else if (result.outcome === "ILLEGAL" && result.current?.state === "running") replica.losses += 1;
      else throw result.error;
    }),
  );
}

for (const { name, wins, losses, latchkey } of replicas) {
  console.log(`${name}: won ${wins} times, lost ${losses} times`);
  await latchkey.close();
}
const won = replicas.reduce((sum, { wins }) => sum + wins, 0);
console.log(`${AGENTS} agents, ${won} starts`);
process.exitCode = won === AGENTS ? 0 : 1;
