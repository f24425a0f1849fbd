interface Bell {
  readonly listeners: Set<() => void>;
  readonly ring: () => void;
}

const bells = new WeakMap<AbortSignal, Bell>();

/**
 * Calls a listener when a signal is aborted. All listeners of one signal share one event listener, because Node warns of
 * a leak if a signal has more than ten.
 *
 * @returns a function that removes the listener
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => {};
  const bell = bells.get(signal) ?? hang(signal);
  const own = (): void => listener(); // a listener that is added twice is called twice, and removed once
  bell.listeners.add(own);
  return () => {
    bell.listeners.delete(own);
    if (bell.listeners.size > 0) return;
    signal.removeEventListener("abort", bell.ring);
    if (bells.get(signal) === bell) bells.delete(signal);
  };
}

function hang(signal: AbortSignal): Bell {
  const listeners = new Set<() => void>();
  const ring = (): void => {
    for (const listener of listeners) listener();
  };
  const bell = { listeners, ring };
  bells.set(signal, bell);
  signal.addEventListener("abort", ring, { once: true });
  return bell;
}
