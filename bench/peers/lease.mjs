/** Time in ms after which the agents of a dead owner are taken from it, on sides that can do so. */
export const LEASE_MS = 1_500;
