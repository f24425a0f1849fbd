/** Documents one code. The table in docs/reference/errors.md is made from these. */
interface CodeInfo {
  /** Names of the classes that carry the code. */
  readonly classes: readonly string[];
  readonly meaning: string;
  readonly action: string;
}

/** All codes of {@link LatchkeyError}, with the text of the reference. */
export const codes = {
  BADARG: {
    classes: ["ContractError"],
    meaning: "an argument or option is invalid",
    action: "correct the call",
  },
  NOMACHINE: {
    classes: ["ContractError"],
    meaning: "the machine is not installed in this namespace",
    action: "apply the machine first",
  },
  NOREACTION: {
    classes: ["ContractError"],
    meaning: "the reaction was removed while this replica was away",
    action: "start the reaction again only if it may begin anew",
  },
  PARTITIONS: {
    classes: ["ContractError"],
    meaning: "the namespace has another number of partitions, which cannot change",
    action: "use another namespace",
  },
  CLOSED: {
    classes: ["ContractError", "LatchkeyError"],
    meaning: "the hold, or the connection of a reaction, is closed",
    action: "begin again with a new hold or connection",
  },
  NESTED: {
    classes: ["ContractError"],
    meaning: "a method of a hold was called from inside its own callback, which would deadlock",
    action: "call it after the callback has ended",
  },
  ILLEGAL: {
    classes: ["IllegalTransitionError", "NoLeaseError", "RejectedError", "AgentLifecycleError"],
    meaning: "the machine has no such transition, or the state has no lease",
    action: "read `current`, and decide",
  },
  CONFLICT: {
    classes: ["ConflictError"],
    meaning: "the entity does not have the expected version or state",
    action: "read `current`, and decide",
  },
  NOTFOUND: {
    classes: ["NotFoundError", "WaitError", "AgentLifecycleError", "CliError"],
    meaning: "the entity does not exist",
    action: "create it, or correct the ID",
  },
  EXISTS: {
    classes: ["AlreadyExistsError", "AgentLifecycleError"],
    meaning: "an entity with this ID exists",
    action: "use it, or choose another ID",
  },
  MISSING: {
    classes: ["MissingFieldError"],
    meaning: "the state requires fields that are absent",
    action: "set the fields named in `fields` in the same call",
  },
  EXPIRED: {
    classes: ["DeadlineExceededError"],
    meaning: "`notAfter` has passed; the change was not applied",
    action: "make the change again if it is still wanted",
  },
  FORGOTTEN: {
    classes: ["OutcomeForgottenError"],
    meaning: "the server can no longer decide whether an earlier attempt was applied",
    action: "read the entity, and decide",
  },
  NOTEXECUTED: {
    classes: ["NotExecutedError"],
    meaning: "the server did not execute the call, and will not",
    action: "try again later; `reply` has the server's code",
  },
  UNKNOWN: {
    classes: ["OutcomeUnknownError", "LatchkeyError"],
    meaning: "the reply was lost; the change may or may not be applied",
    action: "call `resolve()`; repeat a heartbeat",
  },
  NOTDURABLE: {
    classes: ["NotDurableError"],
    meaning: "the change is applied, but was not acknowledged by enough replicas or disks",
    action: "do not repeat it; check the server's replicas",
  },
  LEASELOST: {
    classes: ["LeaseLostError"],
    meaning: "a held lease is lost",
    action: "stop work on the entity",
  },
  TIMEDOUT: {
    classes: ["WaitError"],
    meaning: "the entity did not reach the state within `timeout`",
    action: "wait again, or give up",
  },
  FINAL: {
    classes: ["WaitError"],
    meaning: "the entity is in another state, which is final",
    action: "read `current`",
  },
  GAP: {
    classes: ["GapError"],
    meaning: "changes after the cursor were trimmed from the event log",
    action: "list the entities, then continue from `cursor`",
  },
  REASSIGNED: {
    classes: ["LatchkeyError"],
    meaning: "the event was reassigned to another replica; this is the reason of the handler's `signal`",
    action: "stop the handler",
  },
  INUSE: {
    classes: ["MachineInUseError", "ReactionInUseError"],
    meaning: "a machine cannot be installed, or a reaction cannot be removed",
    action: "read `problem`",
  },
  MACHINE_INVALID: {
    classes: ["MachineDefinitionError"],
    meaning: "the machine definition is invalid",
    action: "correct what `problems` lists",
  },
  MACHINE_FILE: {
    classes: ["MachineFileError"],
    meaning: "the machine file cannot be read",
    action: "correct the path, the name or the encoding",
  },
  UNREACHABLE: {
    classes: ["ConnectError"],
    meaning: "the server cannot be used; `reason` says why",
    action: "see the message; `address` names the server",
  },
  LAYOUT: {
    classes: ["LayoutError"],
    meaning: "another version of latchkey wrote the data",
    action: "use that version, or another namespace",
  },
  PROTOCOL: {
    classes: ["LatchkeyError"],
    meaning: "a script of another version answered",
    action: "use one version of latchkey in all replicas",
  },
  NO_VALKEY: {
    classes: ["NoValkeyError"],
    meaning: "no server program and no container image was found",
    action: "install one; the message lists the commands",
  },
  SERVER_START: {
    classes: ["ServerStartError"],
    meaning: "a server could not be started",
    action: "see the message, which ends with the server's last lines",
  },
  SERVER_ENDED: {
    classes: ["CliError"],
    meaning: "the server of `latchkey dev` ended by itself",
    action: "see its output",
  },
  USAGE: {
    classes: ["CliError"],
    meaning: "a command has an invalid option or argument",
    action: "see `latchkey COMMAND --help`",
  },
} as const satisfies Readonly<Record<string, CodeInfo>>;

/** One of the stable codes of a {@link LatchkeyError}. */
export type ErrorCode = keyof typeof codes;
