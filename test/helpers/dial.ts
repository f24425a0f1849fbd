import { defineMachine } from "../../src/index.js";

/** A machine whose states all lead to each other and to themselves. */
export const dial = defineMachine({
  name: "dial",
  version: 1,
  initial: "a",
  states: {
    a: { to: ["a", "b", "c"] },
    b: { to: ["a", "b", "c"] },
    c: { to: ["a", "b", "c"] },
  },
  history: 2,
});

export type DialState = "a" | "b" | "c";
