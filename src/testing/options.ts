import type { FindOptions } from "../server/find.js";

/** Settings of `startValkey`. */
export interface ServerOptions extends FindOptions {
  /** TCP port, 1 to 65535. @default a free one */
  readonly port?: number;
  /** Folder for the data, kept afterwards. @default a new one, removed at the end (a container keeps it inside) */
  readonly dataDir?: string;
  /** Whether changes are also written to disk, into `dataDir`. @default false */
  readonly appendOnly?: boolean;
  /** Further server arguments, such as `["--maxmemory", "50mb"]`. */
  readonly args?: readonly string[];
  /** What to try first; the other one follows when it is not to be had on this machine. @default "local" */
  readonly prefer?: "local" | "container";
  /** The image of a container. @default LATCHKEY_VALKEY_IMAGE, else the official one */
  readonly image?: string;
  /** Told in a line when the choice may surprise: Redis instead of Valkey, or not what was preferred. */
  readonly onNotice?: (line: string) => void;
}
