// The compared sides, in the order of the tables. Each has a file of its own in this folder.
//
// A side exports its `name` and `open({ url, postgres, hasLeases })`, which connects and returns these functions:
//
//   prepare()                  optional; makes tables, or empties what an earlier run left
//   create(id)                 creates an agent in the state spawning
//   run(id, key)               moves an agent to running; returns the id of the agent that it moved, or null
//   patch(id, field, value, key)   sets a field; returns false if it was rejected, as the next two do
//   complete(id, key), kill(id, key)   move an agent to its end
//   read(id)                   returns the state and the fields
//   listen(listener)           calls `listener(id, change)` for each event; a change is a state or `field=value`
//   close()
//
// A function throws if it has no answer. Its caller then repeats it with the same `key`.
export const SIDES = [
  "latchkey",
  "replaced",
  "watch",
  "redlock",
  "bullmq",
  "xstate",
  "postgres",
  "afternoon",
];

/** Loads a side. */
export const load = (file) => import(`./${file}.mjs`);
