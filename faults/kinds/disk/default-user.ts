import { audit } from "../../canary/audit.js";
import { Canary } from "../../canary/canary.js";
import { type Details, type Fault, Violation } from "../../fault.js";
import { doctorResult } from "../../servers/latchkey-command.js";
import { withOwnServer } from "../../servers/own-server.js";

const CHANGES = 60;
const DEFECT = "PR-3983";
const ALWAYS = { appendonly: "yes", appendfsync: "always" };
/** The setting that people use to reject anonymous callers, and the one that the doctor recommends. */
const [OFF, ADVISED] = ["off", "off resetpass ~* &* +@all"];

/** Turns the user `default` off and restarts. Versions that replay with its permissions lose everything. */
export const defaultUserOff: Fault = {
  name: "F8 default user off, and a restart",
  topologies: ["standalone"],
  // It has its own server.
  loses: false,
  async inject({ folder }): Promise<Details> {
    return withOwnServer(
      folder,
      ALWAYS,
      async (node) => {
        const canary = await Canary.start({ url: node.url });
        try {
          await canary.awaitChanges(CHANGES);
        } finally {
          await canary.stop();
        }
        const left = () => audit(node.admin, canary, performance.now());
        await node.admin.acl("SETUSER", "default", "reset");
        const finding = await doctorResult(node.url, "default-user");
        await node.replaceSettings({ "user default": OFF });
        await node.restart();
        const lost = await left().then(
          ({ lost }) => lost,
          (error: unknown) => {
            if (error instanceof Violation) return null; // inconsistent, which is as bad
            throw error;
          },
        );
        if (lost !== 0 && finding?.level !== "fail") {
          throw new Violation(
            `${lost ?? "some"} changes are lost, but the doctor reports ${finding?.level ?? "nothing"}`,
          );
        }
        // The file itself lost nothing: a user with permissions can replay it.
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
