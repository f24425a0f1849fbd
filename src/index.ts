/**
 * Keeps the state of entities in Valkey: machines, the client and its errors.
 *
 * @module latchkey
 */
export {
  AgentLifecycle,
  AgentLifecycleError,
  type AgentLifecycleOptions,
  type AgentLifecycleState,
} from "./agent-lifecycle.js";
export { Entities, type Fields } from "./entities.js";
export type { DeadLetter } from "./events/dead-letters.js";
export type { ForgottenReaction } from "./events/forget-reaction.js";
export { GapError } from "./events/gap-error.js";
export type { EventLog, EventsOptions } from "./events/log.js";
export type { Reaction } from "./events/reaction.js";
export type { MissedEvents } from "./events/reaction-group.js";
export type { Handler, Reacting } from "./events/reaction-settings.js";
export type { ReactionStats } from "./events/reaction-stats.js";
export type { Listener, SubscribeOptions, Subscription } from "./events/subscribe.js";
export type { ForgetOptions } from "./forget-reaction.js";
export { type ConnectOptions, connect, type Latchkey } from "./latchkey.js";
export { type AgentOptions, type AgentState, agent } from "./machine/agent.js";
export { compareMachines } from "./machine/compare.js";
export { compileMachine, parseCompiledMachine } from "./machine/compile.js";
export type { CompiledMachine, CompiledState } from "./machine/compiled.js";
export { checkedMachine, defineMachine } from "./machine/define.js";
export type { Machine, MachineDefinition, StateDefinition, StateOf } from "./machine/definition.js";
export { toDot } from "./machine/dot.js";
export { type Duration, durationMs } from "./machine/duration.js";
export { MachineFileError, readMachineFile } from "./machine/file.js";
export type { JsonValue } from "./machine/json-value.js";
export { toMermaid } from "./machine/mermaid.js";
export { MachineDefinitionError, type Problem } from "./machine/problem.js";
export { type Validation, validateMachine } from "./machine/validate.js";
export { toXState } from "./machine/xstate.js";
export type { ReactOptions } from "./react.js";
export { ReactionInUseError } from "./reaction-in-use-error.js";
export type { DeadLetters } from "./reactions.js";
export type { Applied, ApplyOptions } from "./store/apply.js";
export type {
  ChangeOptions,
  CreateOptions,
  PatchOptions,
  RemoveOptions,
  TransitionOptions,
} from "./store/change-options.js";
export { type Change, ownFields, type Replay, type Snapshot } from "./store/document.js";
export {
  AlreadyExistsError,
  ConflictError,
  ContractError,
  DeadlineExceededError,
  IllegalTransitionError,
  LatchkeyError,
  MachineInUseError,
  MissingFieldError,
  NotDurableError,
  NotExecutedError,
  NotFoundError,
  OutcomeForgottenError,
  OutcomeUnknownError,
  RefusedError,
  type ResolveOptions,
} from "./store/errors.js";
export type { HeartbeatOptions, HeartbeatResult } from "./store/heartbeat.js";
export type { Hold, HoldOptions } from "./store/hold.js";
export { LeaseLostError } from "./store/lease-lost-error.js";
export type { ListOptions, Page, PageOptions } from "./store/list.js";
export type { InstalledMachine } from "./store/machine-record.js";
export { NoLeaseError } from "./store/no-lease-error.js";
export type { Resolution } from "./store/resolve.js";
export type { Confirmation, Refusal, Result } from "./store/result.js";
export type { SweepOptions } from "./store/sweep.js";
export type { Stuck, Swept } from "./store/swept.js";
export { ConnectError } from "./valkey/connect-error.js";
export type { ConnectionOptions } from "./valkey/connection.js";
export type { Durability } from "./valkey/durability.js";
export { LayoutError, type NamespaceFacts } from "./valkey/layout.js";
export type { Logger } from "./valkey/logger.js";
export { partitionOf } from "./valkey/partition.js";
export type { ServerTime } from "./valkey/server-clock.js";
export { WaitError } from "./wait-error.js";
export type { WaitOptions, Wanted } from "./wait-for.js";
