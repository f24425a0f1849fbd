/**
 * Stores the lifecycle state of entities in Valkey: state machines, the client and its errors.
 *
 * @module latchkey
 */

export {
  AgentLifecycle,
  type AgentLifecycleOptions,
  type AgentLifecycleState,
  type AgentRegisterOptions,
  type AgentTransitionOptions,
} from "./agent-lifecycle.js";
export type {
  ChangeOptions,
  CreateOptions,
  PatchOptions,
  RemoveOptions,
  RestoreOptions,
  TransitionOptions,
} from "./changes/options.js";
export type { Confirmation, Rejection, Result } from "./changes/result.js";
export {
  type Change,
  type ChangeFacts,
  type EntityFacts,
  type OwnFields,
  ownFields,
  type Replay,
  type ReplayFacts,
  type Snapshot,
} from "./contract/document.js";
export type { Durability } from "./contract/durability.js";
export type { FieldInput, Fields, Stored, StoredFields } from "./contract/own-fields.js";
export type { Resolution, ResolveOptions } from "./contract/resolution.js";
export { Entities, type EntitiesOf } from "./entities.js";
export { AgentLifecycleError } from "./errors/agent-lifecycle-error.js";
export { ApplyInterruptedError } from "./errors/apply-interrupted-error.js";
export { ClosedError } from "./errors/closed-error.js";
export type { ErrorCode } from "./errors/codes.js";
export { ConnectError } from "./errors/connect-error.js";
export { GapError } from "./errors/gap-error.js";
export { ContractError, LatchkeyError } from "./errors/latchkey-error.js";
export { LayoutError } from "./errors/layout-error.js";
export { LeaseLostError } from "./errors/lease-lost-error.js";
export { MachineDefinitionError } from "./errors/machine-definition-error.js";
export { MachineFileError } from "./errors/machine-file-error.js";
export { MachineInUseError } from "./errors/machine-in-use-error.js";
export { NoLeaseError } from "./errors/no-lease-error.js";
export { NotDurableError, NotExecutedError, OutcomeUnknownError } from "./errors/outcome-errors.js";
export { ReactionInUseError } from "./errors/reaction-in-use-error.js";
export {
  AlreadyExistsError,
  ConflictError,
  DeadlineExceededError,
  IllegalTransitionError,
  MissingFieldError,
  NotFoundError,
  OutcomeForgottenError,
  RejectedError,
} from "./errors/rejected-errors.js";
export { WaitError } from "./errors/wait-error.js";
export type { EventLog, EventsOptions } from "./events/log.js";
export type { Listener, SubscribeOptions, Subscription } from "./events/subscribe.js";
export type { UnreadableEntry } from "./events/unreadable.js";
export type { Applied, ApplyOptions } from "./install/apply.js";
export type { DataLoss, LossOptions, Ping } from "./install/namespace.js";
export { type ConnectOptions, connect, type Latchkey } from "./latchkey.js";
export type { HeartbeatOptions, HeartbeatResult } from "./leases/heartbeat.js";
export type { Hold, HoldOptions } from "./leases/hold.js";
export { type AgentEvent, type AgentOptions, type AgentState, agent } from "./machine/agent.js";
export { compareMachines } from "./machine/compare.js";
export { compileMachine, parseCompiledMachine } from "./machine/compile.js";
export type { CompiledMachine, CompiledState } from "./machine/compiled.js";
export { checkedMachine, defineMachine } from "./machine/define.js";
export type {
  EventOf,
  Machine,
  MachineDefinition,
  StateDefinition,
  StateEvent,
  StateOf,
} from "./machine/definition.js";
export { toDot } from "./machine/dot.js";
export { type Duration, durationMs } from "./machine/duration.js";
export { readMachineFile } from "./machine/file.js";
export type { JsonValue } from "./machine/json-value.js";
export { toMermaid } from "./machine/mermaid.js";
export type { Problem } from "./machine/problem.js";
export { type Validation, validateMachine } from "./machine/validate.js";
export { toXState } from "./machine/xstate.js";
export type { DeadLetter, DeadLetters } from "./reactions/dead-letters.js";
export type { Follower, FollowOptions } from "./reactions/follow.js";
export type { ForgetOptions, ForgottenReaction } from "./reactions/forget.js";
export type { Handler, HandlerContext, HandlerOptions } from "./reactions/handler-settings.js";
export type { PendingEvent } from "./reactions/pending.js";
export type { PublishEventsOptions } from "./reactions/publish-events.js";
export type { Reaction } from "./reactions/reaction.js";
export type { MissedEvents, ReactOptions } from "./reactions/settings.js";
export type { ReactionStats, ReactionTotals } from "./reactions/stats.js";
export type { HistoryEntry, HistoryOptions } from "./reads/history.js";
export type { InstalledMachine } from "./reads/installed-machine.js";
export type { ListFilter, ListOptions, Page, PageOptions } from "./reads/list.js";
export type { Stuck, SweepReport } from "./sweep/report.js";
export type { SweepOptions } from "./sweep/sweep.js";
export type { EntityReadOptions, ReadOptions } from "./valkey/ask.js";
export type { ConnectRetry } from "./valkey/await-server.js";
export type { ClusterOptions, ConnectionOptions, SentinelOptions } from "./valkey/connection-options.js";
export type { NamespaceFacts } from "./valkey/layout.js";
export type { Logger } from "./valkey/logger.js";
export { partitionOf } from "./valkey/partition.js";
export type { ServerRole } from "./valkey/role.js";
export type { ServerTime } from "./valkey/server-clock.js";
export { errorText } from "./valkey/thrown-text.js";
export type { WaitOptions, WaitTarget } from "./waits/wait-for.js";
