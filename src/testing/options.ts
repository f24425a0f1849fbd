import type { FindOptions } from "../server/find.js";

/** Settings of `startValkey`. */
export interface ServerOptions extends FindOptions {
  /** TCP port, 1 to 65535. @default a free one */
  readonly port?: number;
  /** Folder for the data, which is kept. @default a new one, removed at the end (inside the container, if there is one) */
  readonly dataDir?: string;
  /** Writes changes to disk, into `dataDir`. @default false */
  readonly appendOnly?: boolean;
  /** Further server arguments, such as `["--maxmemory", "50mb"]`. */
  readonly args?: readonly string[];
  /** The kind to try first; the other kind is used if this one is unavailable. @default "local" */
  readonly prefer?: "local" | "container";
  /** Image of the container. @default LATCHKEY_VALKEY_IMAGE, else the official one */
  readonly image?: string;
  /** Called with a message if the choice is unexpected: Redis instead of Valkey, or not the preferred kind. */
  readonly onNotice?: (line: string) => void;
}
