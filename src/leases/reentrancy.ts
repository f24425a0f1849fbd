import { AsyncLocalStorage } from "node:async_hooks";

interface Work {
  readonly of: object;
  readonly outer: Work | undefined;
  isOver: boolean;
}

const present = new AsyncLocalStorage<Work>();

/** Does some work of an object, and lets all that is called meanwhile and by it find that out: see `isInside`. */
export async function inside<T>(of: object, work: () => Promise<T>): Promise<T> {
  const mine: Work = { of, outer: present.getStore(), isOver: false };
  try {
    return await present.run(mine, work);
  } finally {
    mine.isOver = true; // what it left running is not inside any more
  }
}

/** Whether the caller was called by work of this object that is not over. To wait for its end would never end. */
export function isInside(of: object): boolean {
  for (let work = present.getStore(); work !== undefined; work = work.outer) {
    if (work.of === of && !work.isOver) return true;
  }
  return false;
}
