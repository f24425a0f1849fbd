import type { MachineLocation } from "../../valkey/keys.js";
import type { DoctorContext } from "../context.js";
import { missingFor, type PermissionKind } from "./probe.js";
import { ROLES, type Role } from "./role-names.js";
import { commandsOf, isOfGroup, placeCommandsOf } from "./roles.js";
import { isOfReaction, type Sample, samplesOf } from "./samples.js";

/** A call, and the permission for it that the user lacks. */
export interface ProbedCall {
  readonly command: string;
  readonly sample: Sample;
  readonly missing: PermissionKind | undefined;
}

/** The place of the connection, which decides what is needed besides the commands of a role. */
export interface Place {
  readonly cluster: boolean;
  readonly database: boolean;
}

/** Roles that users have, and a combination that is common. If two are equally near, the first one counts. */
const KINDS: readonly (readonly Role[])[] = [
  ["writer"],
  ["writer", "reactor"],
  ["reader"],
  ["operator"],
  ["reactor"],
  ["restorer"],
];

/** Holds what a user may do, and finds the role that its permissions were made for. */
export class ProbedUser {
  readonly calls: readonly ProbedCall[];
  readonly #place: Place;

  private constructor(calls: readonly ProbedCall[], place: Place) {
    this.calls = calls;
    this.#place = place;
  }

  /** Checks the permissions of the user for the calls of all roles. @throws CheckDeniedError if that is not possible */
  static async probe(context: DoctorContext, location: MachineLocation, place: Place): Promise<ProbedUser> {
    const commands = new Set(ROLES.flatMap((role) => [...commandsOf(role), ...placeCommandsOf(role, place)]));
    const samples = [...commands].flatMap((command) =>
      samplesOf(command, location).map((sample) => ({ command, sample })),
    );
    const missing = await missingFor(
      context,
      samples.map(({ sample }) => sample),
    );
    return new ProbedUser(
      samples.map((call, at) => ({ ...call, missing: missing[at] })),
      place,
    );
  }

  /** The roles whose permissions the user has completely. */
  get roles(): readonly Role[] {
    return ROLES.filter((role) => this.missingOf([role]).length === 0);
  }

  /** The roles that the user was made for, as its commands show; undefined if they are too few. */
  get purpose(): readonly Role[] | undefined {
    const own = new Set(
      this.calls.filter(({ missing }) => missing !== "command").map(({ command }) => command),
    );
    for (const { command, missing } of this.calls) if (missing === "command") own.delete(command);
    const ranked = KINDS.map((roles) => {
      const needed = new Set(roles.flatMap((role) => commandsOf(role)).filter(isTelling));
      const lacks = [...needed].filter((command) => !own.has(command)).length;
      const more = [...own].filter((command) => isTelling(command) && !needed.has(command)).length;
      return { roles, distance: lacks + more, isNear: lacks < needed.size / 2 };
    }).sort((a, b) => a.distance - b.distance);
    return ranked.find(({ isNear }) => isNear)?.roles;
  }

  /** Returns the calls of some roles that the user may not make. */
  missingOf(roles: readonly Role[]): readonly ProbedCall[] {
    return this.calls.filter(
      (call) => call.missing !== undefined && roles.some((role) => this.#needs(role, call)),
    );
  }

  #needs(role: Role, { command, sample }: ProbedCall): boolean {
    if (placeCommandsOf(role, this.#place).includes(command)) return true;
    if (!commandsOf(role).includes(command)) return false;
    // A reactor writes only the keys of reactions.
    if (role !== "reactor" || commandsOf("reader").includes(command)) return true;
    return isOfGroup(command) || isOfReaction(sample);
  }
}

/** Scripts differ between versions, so they do not show the role of a user. */
function isTelling(command: string): boolean {
  return !command.startsWith("evalsha");
}
