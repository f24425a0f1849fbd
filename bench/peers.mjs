// Compares latchkey with other ways to keep the state of agents: `npm run bench:peers`, after `npm run build`.
import { parseArgs } from "node:util";
import { startValkey } from "../dist/testing/index.js";
import { openPlaces } from "./peers/places.mjs";
import { startReplica } from "./peers/replicas.mjs";
import { SIDES } from "./peers/sides/index.mjs";
import { measureSpeed } from "./peers/speed.mjs";
const { values } = parseArgs({ options: { only: {type:"string", default:""}, ms: {type:"string", default:"300"}, rounds:{type:"string",default:"1"}, callers:{type:"string", default:"1,8,64,256"} } });
const say = (l) => console.error(l);
const { places, proxy, stop } = await openPlaces(startValkey, say);
try {
  const sides = [];
  for (const file of SIDES.filter((f) => values.only === "" || values.only.split(",").includes(f))) sides.push({ file, replicas: [await startReplica(file), await startReplica(file)] });
  const r = await measureSpeed(sides, { places, proxy, callers: values.callers.split(",").map(Number), rounds: Number(values.rounds), ms: Number(values.ms), say });
  for (const { work, place, callers, figures } of r) for (const { file, rounds: [f] } of figures) console.log(work, place, callers, file.padEnd(10), Object.entries(f).map(([k,v]) => `${k}=${typeof v==="number"?+v.toFixed(2):JSON.stringify(v)}`).join(" "));
  for (const {replicas} of sides) for (const x of replicas) await x.kill();
} finally { await stop(); }
