import { checkFunctions, checkList, checkOptions, checkTypes, checkWord } from "../contract/arguments.js";
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

const OPTIONS: readonly (keyof ServerOptions)[] = [
  "port",
  "dataDir",
  "appendOnly",
  "args",
  "prefer",
  "image",
  "onNotice",
  "bin",
  "env",
  "usualPlaces",
];

/** Checks all options but the port and the meaning of the server's arguments. @throws ContractError if one is invalid */
export function checkServerOptions(options: ServerOptions): void {
  checkOptions(options, OPTIONS);
  const {
    dataDir,
    image,
    bin,
    appendOnly,
    env,
    prefer = "local",
    onNotice,
    args = [],
    usualPlaces = [],
  } = options;
  checkTypes("string", { dataDir, image, bin });
  checkTypes("boolean", { appendOnly });
  checkTypes("object", { env });
  checkFunctions({ onNotice });
  checkWord("prefer", prefer, ["local", "container"]);
  for (const [name, list] of Object.entries({ args, usualPlaces })) {
    checkList(name, list, " of texts");
    for (const text of list) checkTypes("string", { [name]: text });
  }
}
