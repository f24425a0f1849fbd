import { type Details, type Fault, Violation } from "../fault.js";
import { audit } from "../servers/audit.js";
import { beside } from "../servers/beside.js";
import { Canary } from "../servers/canary.js";
import { doctorResult } from "../servers/doctor.js";

const CHANGES = 60;
const DEFECT = "PR-3983";
const ALWAYS = { appendonly: "yes", appendfsync: "always" };
/** What people write to shut anonymous callers out, and what the doctor advises instead. */
const [OFF, ADVISED] = ["off", "off resetpass ~* &* +@all"];

/** Nobody may be `default` any more, and the server starts again: versions that replay by its rights lose all. */
export const defaultUserOff: Fault = {
  name: "F8 default user off, and a restart",
  topologies: ["standalone"],
  // On a server of its own.
  loses: false,
  async inject({ folder }): Promise<Details> {
    return beside(
      folder,
      ALWAYS,
      async (node) => {
        const canary = await Canary.start({ url: node.url });
        try {
          await canary.acknowledges(CHANGES);
        } finally {
          await canary.stop();
        }
        const left = () => audit(node.admin, canary, performance.now());
        await node.admin.acl("SETUSER", "default", "reset");
        const finding = await doctorResult(node.url, "default-user");
        await node.replaceSettings({ "user default": OFF });
        await node.restart();
        const lost = await left().then(
          (told) => told.lost,
          (error: unknown) => {
            if (error instanceof Violation) return null; // torn, which is as bad
            throw error;
          },
        );
        if (lost !== 0 && finding?.level !== "fail") {
          throw new Violation(
            `${lost ?? "some"} changes are lost, and the doctor finds ${finding?.level ?? "nothing"}`,
          );
        }
        // The file itself lost nothing: it is whole again for a user who may do what stands in it.
        await node.replaceSettings({ "user default": ADVISED });
        await node.restart();
        const advised = await left();
        if (advised.lost > 0) throw new Violation(`${advised.lost} changes are lost with "${ADVISED}"`);
        return {
          acknowledged: advised.acknowledged,
          lostWithOff: lost,
          lostAsAdvised: advised.lost,
          doctor: finding?.level ?? null,
          defect: lost === 0 ? null : DEFECT,
        };
      },
      { user: "faults" },
    );
  },
};
