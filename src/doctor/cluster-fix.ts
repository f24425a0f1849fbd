import { isDead, type NodeState } from "./node-states.js";

/**
 * Returns the command that ends moves of slots, and assigns slots that no node holds. valkey-cli rejects it while a primary is
 * unreachable, unless an option says that its slots may be given to others. Without slots, that is safe.
 *
 * @param at `host:port` of a node that replies
 */
export function fixCommand(at: string, states: readonly NodeState[]): string {
  const command = `valkey-cli --cluster fix ${at}`;
  const isGone = ({ primary, slots, trouble }: NodeState): boolean =>
    primary === undefined && slots === 0 && trouble !== undefined;
  return states.some(isGone) ? `${command} --cluster-fix-with-unreachable-primaries` : command;
}

/** Returns a fix that needs all primaries with slots: valkey-cli would take the slots of those that are dead. */
export function afterRevival(fix: string, states: readonly NodeState[]): string {
  const dead = states.filter((node) => isDead(node) && node.slots > 0).map(({ name }) => name);
  return dead.length === 0 ? fix : `first start ${dead.join(" and ")} again, see cluster/slots; then, ${fix}`;
}
