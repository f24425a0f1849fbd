// A process that works for one side. Its parent sends commands, each with the place to connect to.
import { openSync } from "node:fs";
import { load } from "./sides/index.mjs";
import { walk } from "./walk.mjs";
import { fill, life, race } from "./work.mjs";

const side = await load(process.argv[2]);
const places = new Map();

function openedAt(place) {
  const key = JSON.stringify(place);
  const opened = places.get(key) ?? side.open(place);
  places.set(key, opened);
  return opened;
}

const COMMANDS = {
  fill,
  life,
  race,
  walk: (opened, { log, ...order }) =>
    walk({ side: opened, onlyOwner: side.onlyOwner }, { ...order, file: openSync(log, "a") }),
};

process.on("message", async ({ number, command, place, ...order }) => {
  try {
    process.send({ number, result: await COMMANDS[command](await openedAt(place), order) });
  } catch (error) {
    process.send({ number, error: error.stack });
  }
});
process.on("disconnect", () => process.exit());
process.send({ isReady: true });
