import { type Random, shuffled } from "../../random.js";

/** Number of places at which one injection cuts. Each one takes a tenth of a second. */
const [LEAST, MOST] = [64, 128];

/**
 * Chooses the places at which an injection cuts a file: new places first, so many that the planned injections reach all
 * places, and then any places.
 *
 * @param before places of earlier injections
 * @param injectionsLeft number of planned injections, including this one
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
  const fresh = all.filter((place) => !before.has(place));
  const count = Math.min(MOST, Math.max(LEAST, Math.ceil(fresh.length / injectionsLeft)));
  return [...fresh, ...all.filter((place) => before.has(place))].slice(0, count);
}
