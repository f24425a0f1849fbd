import { hasReplayDefect } from "../../src/doctor/checks/defects.js";
import { parseVersion } from "../../src/doctor/server-identity.js";
import { findServer } from "../../src/server/find.js";

const { program } = await findServer();
const isOldRedis = program?.product === "redis" && program.version.startsWith("7.0.");

/** True if the tests run on Valkey; false for tests of what only Valkey has. */
export const isValkey = program?.product !== "redis";

/** True if the server can confirm writes on disk. Redis can since 7.2. */
export const hasWaitaof = !isOldRedis;

/** True if WAIT covers the writes of its connection only. In Redis before 7.2 it covers all writes. */
export const countsOwnWrites = !isOldRedis;

/** True if nodes of a cluster tell clients that use TLS their ports with TLS, also if they use none among themselves. */
export const namesTlsPorts = isValkey;

/** True if a server that is out of memory still executes transactions that only read. */
export const readsOutOfMemory = isValkey;

/** True if the server has defects that `latchkey doctor` knows, and for which it fails. */
export const hasKnownDefects = isValkey;

/** True if the server can move slots of a cluster atomically. Valkey can since 9.0. */
export const hasAtomicMigration = isValkey && Number(program?.version.split(".")[0]) >= 9;

const version = parseVersion(program?.version ?? "");

/** True if the server replays its append-only file with the permissions of the user `default`. */
export const replaysAsUser = isValkey && version !== undefined && hasReplayDefect(version);
