import type { DoctorContext } from "../context.js";
import type { Finding } from "../finding.js";
import { look } from "../not-allowed.js";

/** What a server means that answers nothing but BUSY. */
export const BUSY: Finding = {
  id: "busy",
  level: "bad",
  seen: "a slow script or function is running",
  means: "every call is refused with BUSY until it ends; latchkey's own scripts end within a millisecond",
  mend: "SCRIPT KILL, or FUNCTION KILL where it is a function; once it has written, only waiting helps",
};

/** Whether something runs now that keeps all others waiting. Where a script does, the answer is BUSY itself. */
export async function busy(context: DoctorContext): Promise<Finding> {
  const { client } = context.connection;
  const reply = await look("function|stats", () => client.call("FUNCTION", "STATS"));
  const running: unknown = Array.isArray(reply) ? reply[reply.indexOf("running_script") + 1] : undefined;
  if (Array.isArray(running)) return BUSY;
  return { id: "busy", level: "ok", seen: "no slow script is running", means: "calls are answered" };
}
