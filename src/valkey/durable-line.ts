import type { Valkey } from "iovalkey";
import { ClosedError } from "../errors/closed-error.js";
import type { Deadline } from "./deadline.js";
import { OfflineError } from "./failure.js";
import { GroupCommit } from "./group-commit.js";

/** Connection for changes that wait for acknowledgements, because a WAIT blocks all later commands. */
export interface DurableLine {
  readonly client: Valkey;
  readonly commits: GroupCommit;
}

interface Opened {
  readonly client: Valkey;
  untilReady(deadline: Deadline): Promise<void>;
}

/** Opens the connection at the first call, and again at the next call if that failed. */
export function durableLine(open: () => Promise<Opened>): (deadline: Deadline) => Promise<DurableLine> {
  let opening: Promise<Opened & DurableLine> | undefined;
  return async (deadline) => {
    opening ??= open().then((opened) => ({ ...opened, commits: new GroupCommit(opened.client) }));
    try {
      const line = await opening;
      await line.untilReady(deadline);
      return line;
    } catch (error) {
      if (error instanceof OfflineError || error instanceof ClosedError) throw error;
      opening = undefined;
      throw new OfflineError();
    }
  };
}
