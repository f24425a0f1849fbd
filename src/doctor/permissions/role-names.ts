/** The roles of users, each with exactly the permissions for its work. */
export const ROLES = ["writer", "reader", "operator", "reactor", "restorer"] as const;

/**
 * The work of a user.
 * - `writer` installs machines, changes entities and fires timers.
 * - `reader` reads entities, events, statistics and dead letters. All other roles do so too.
 * - `operator` runs all commands except `restore` and `import`.
 * - `reactor` handles events, retries and drops dead letters, and changes no entity.
 * - `restorer` restores and imports entities.
 */
export type Role = (typeof ROLES)[number];
