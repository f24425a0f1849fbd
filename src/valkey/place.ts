/** Further data of the slot with the facts of a namespace. */
export const HOME = " and the facts of the namespace, without which nothing starts";

/** The server that a call goes to, for errors. */
export interface Place {
  /** Address without credentials; undefined if no node of the cluster holds the slot. */
  readonly server: string | undefined;
  /** Error of the last attempt to connect, if it is not connected. */
  readonly error?: unknown;
  /** In a cluster, the slot of the keys. */
  readonly slot?: number;
  /** True if the call concerns no partition: then the slot is that of the facts of the namespace. */
  readonly isHome?: boolean;
  /** Address of the node that receives the slot, if a reply has named one. */
  readonly receiver?: string | undefined;
  /** Other nodes of the cluster that are not connected. */
  readonly away?: readonly Place[];
}

/** Names the server and the slot, for the end of a sentence or of a part of one. */
export function placeText({ server, slot, isHome }: Place): string {
  if (slot === undefined) return server ?? "the server";
  if (server === undefined) return `any node: none holds slot ${slot}`;
  return `${server}, which holds slot ${slot}${isHome === true ? HOME : ""}`;
}
