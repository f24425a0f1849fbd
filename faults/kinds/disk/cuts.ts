import { type Random, shuffled } from "../../random.js";

/** How many places one injection cuts at: a tenth of a second each. */
const [LEAST, MOST] = [64, 128];

/**
 * At which of a number of places an injection cuts: where none has cut yet, and at so many that the injections that are
 * still planned come to all places, if they are enough for that; then anywhere.
 *
 * @param before where injections have cut
 * @param injectionsLeft this one among them
 */
export function chooseCuts(
  places: number,
  before: ReadonlySet<number>,
  injectionsLeft: number,
  random: Random,
): number[] {
  const all = shuffled(
    random,
    Array.from({ length: places }, (_, place) => place),
  );
  const open = all.filter((place) => !before.has(place));
  const count = Math.min(MOST, Math.max(LEAST, Math.ceil(open.length / injectionsLeft)));
  return [...open, ...all.filter((place) => before.has(place))].slice(0, count);
}
