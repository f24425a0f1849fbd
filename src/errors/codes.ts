/**
 * One of the stable codes of a {@link LatchkeyError}.
 *
 * The comment of a code is its row in docs/reference/errors.md: the classes that carry it, its meaning, and what to do.
 */
export type ErrorCode =
  /** ContractError | an argument or option is invalid | correct the call */
  | "BADARG"
  /** ContractError | the machine is not installed in this namespace | apply the machine first */
  | "NOMACHINE"
  /** ContractError | the reaction was removed while this replica was away | start the reaction again only if it may begin anew */
  | "NOREACTION"
  /** ContractError | the namespace has another number of partitions, which cannot change | use another namespace */
  | "PARTITIONS"
  /** ClosedError, ContractError, LatchkeyError | latchkey, a hold, or the connection of a reaction is closed | begin again with a new connection or hold */
  | "CLOSED"
  /** ContractError | a method of a hold was called from inside its own callback, which would deadlock | call it after the callback has ended */
  | "NESTED"
  /** IllegalTransitionError, NoLeaseError, RejectedError, AgentLifecycleError | the machine has no such transition, or the state has no lease | read `current`, and decide */
  | "ILLEGAL"
  /** ConflictError, AgentLifecycleError | the entity does not have the expected version or state | read `current`, and decide */
  | "CONFLICT"
  /** NotFoundError, WaitError, AgentLifecycleError, CliError | the entity does not exist | create it, or correct the ID */
  | "NOTFOUND"
  /** AlreadyExistsError, AgentLifecycleError | an entity with this ID exists | use it, or choose another ID */
  | "EXISTS"
  /** MissingFieldError, AgentLifecycleError | the state requires fields that are absent | set the fields named in `fields` in the same call */
  | "MISSING"
  /** DeadlineExceededError | `notAfter` has passed; the change was not applied | make the change again if it is still wanted */
  | "EXPIRED"
  /** OutcomeForgottenError, AgentLifecycleError | the server can no longer decide whether an earlier attempt was applied | read the entity, and decide */
  | "FORGOTTEN"
  /** NotExecutedError | the server did not execute the call, and will not | try again later; `reply` has the server's code */
  | "NOTEXECUTED"
  /** OutcomeUnknownError, ApplyInterruptedError, LatchkeyError | the reply was lost; the change may or may not be applied | call `resolve()`; repeat a heartbeat or an `apply` */
  | "UNKNOWN"
  /** NotDurableError | the change is applied, but was not acknowledged by enough replicas or disks | do not repeat it; check the server's replicas */
  | "NOTDURABLE"
  /** LeaseLostError | a held lease is lost | stop work on the entity */
  | "LEASELOST"
  /** WaitError, LatchkeyError | the entity did not reach the state within `timeout`, or a handler exceeded `handlerTimeout` (the reason of its `signal`) | wait again, or give up; stop the handler */
  | "TIMEDOUT"
  /** WaitError | the entity is in another state, which is final | read `current` */
  | "FINAL"
  /** GapError, WaitError | changes were trimmed from the event log before they were read, or the log lost the change that was read last | list the entities, then continue from `cursor`; after `waitFor` read `current`, then wait again */
  | "GAP"
  /** LatchkeyError | the event was reassigned to another replica; this is the reason of the handler's `signal` | stop the handler */
  | "REASSIGNED"
  /** MachineInUseError, ReactionInUseError | a machine cannot be installed, or a reaction cannot be removed | read `problem` */
  | "INUSE"
  /** MachineDefinitionError | the machine definition is invalid | correct what `problems` lists */
  | "MACHINE_INVALID"
  /** MachineFileError | the machine file cannot be read | correct the path, the name or the encoding */
  | "MACHINE_FILE"
  /** ConnectError | the server cannot be used; `reason` says why | see the message; `address` names the server */
  | "UNREACHABLE"
  /** LayoutError | another version of latchkey wrote the data, or the namespace was created anew with other partitions | use that version or another namespace; connect again */
  | "LAYOUT"
  /** LatchkeyError | a script of another version answered | use one version of latchkey in all replicas */
  | "PROTOCOL"
  /** NoValkeyError | no server program and no container image was found | install one; the message lists the commands */
  | "NO_VALKEY"
  /** ServerStartError | a server could not be started | see the message, which ends with the server's last lines */
  | "SERVER_START"
  /** CliError | the server of `latchkey dev` ended by itself | see its output */
  | "SERVER_ENDED"
  /** CliError | a command has an invalid option or argument | see `latchkey COMMAND --help` */
  | "USAGE";
