import type { Reply } from "../../contract/reply.js";
import type { Operation } from "../../lua/index.js";
import { type CompiledMachine, type CompiledState, stateOf } from "../../machine/compiled.js";
import { ErrorReply, type ModelCall, NO_CALL, readWords } from "./call.js";
import { changeText, isoOf, type ModelChange, type ModelEntity } from "./entity.js";
import { applyFields } from "./fields.js";
import { MOST_AHEAD_MS, type Moment, momentOf } from "./moment.js";
import { conflict, existence, lateness, repetition, replyWith } from "./rejections.js";
import { ModelStore } from "./store.js";
import { endsOf, firedTimer, first, firstDue } from "./timers.js";

const NO_FIELDS: ReadonlyMap<string, string> = new Map();

/**
 * Judges calls by the design alone, as the scripts do, and keeps entities in memory. It is the only second judge beside
 * the scripts: tests compare the two, and `fakeEntities` answers by it.
 *
 * @example
 * const model = new Model(compileMachine(agent()));
 * model.timeMs = Date.now();
 * model.run("create", "a1", "SET", "taskId", '"t1"').outcome; // "OK"
 */
export class Model extends ModelStore {
  /** States that entities in dropped states may go to. */
  #map: Readonly<Record<string, string>> = {};

  /** Installs a newer version. @param map states that entities in dropped states may go to */
  install(machine: CompiledMachine, map: Readonly<Record<string, string>>): "OK" | "INUSE" {
    const states = [...this.entities.values()].map(({ state }) => state);
    const dropped = states.filter((state) => stateOf(machine, state) === undefined);
    if (dropped.some((state) => map[state] === undefined)) return "INUSE";
    this.machine = machine;
    this.#map = map;
    return "OK";
  }

  /** Lists the states that an entity in a state may go to. */
  targets(state: string): readonly string[] {
    const spec = stateOf(this.machine, state);
    if (spec !== undefined) return spec.to ?? [];
    return Object.hasOwn(this.#map, state) ? [this.#map[state] ?? ""] : [];
  }

  /**
   * Runs one script.
   *
   * @param args arguments of the script after the id, as a client sends them
   * @throws Error with the text of an error reply
   */
  run(operation: Exclude<Operation, "apply">, id: string, ...args: readonly string[]): Reply {
    switch (operation) {
      case "create":
        return this.#create(id, readWords(args));
      case "restore":
        return this.#restore(id, args, readWords(args.slice(4)));
      case "transition":
        return this.#transition(id, args[0] ?? "", readWords(args.slice(1)));
      case "patch":
        return this.#patch(id, readWords(args));
      case "remove":
        return this.#remove(id, readWords(args));
      case "heartbeat":
        return this.#heartbeat(id, readWords(args));
      case "expire":
        return this.#expire(id);
      case "get":
        return this.#get(id);
    }
  }

  #create(id: string, call: ModelCall): Reply {
    const rejection = repetition(this, id, call) ?? existence(this, id);
    return rejection ?? this.#enter(id, this.machine.initial, call, this.#moment(id));
  }

  #transition(id: string, to: string, call: ModelCall): Reply {
    const moment = this.#moment(id);
    const rejection = repetition(this, id, call) ?? conflict(this, id, call);
    if (rejection !== undefined) return rejection;
    const isAllowed = this.targets(moment.entity?.state ?? "").includes(to);
    const isForced = call.isForced && stateOf(this.machine, to) !== undefined;
    return isAllowed || isForced ? this.#enter(id, to, call, moment) : replyWith(this, "ILLEGAL", id);
  }

  #patch(id: string, call: ModelCall): Reply {
    const { entity, nowMs, isAhead } = this.#moment(id);
    const rejection = repetition(this, id, call) ?? conflict(this, id, call);
    if (rejection !== undefined || entity === undefined) return rejection ?? replyWith(this, "NOTFOUND", id);
    const { machine } = this;
    const { state, fields: before } = entity;
    const applied = applyFields({ machine, set: call.set, unset: call.unset, before, state });
    if (applied === "MISSING") return replyWith(this, "MISSING", id);
    const dueMs = isAhead ? this.#plainDue(entity) : entity.dueMs;
    const after = { ...next(entity, nowMs), dueMs };
    return this.#change(id, call, `${machine.name}.updated`, state, { ...after, ...applied });
  }

  #remove(id: string, call: ModelCall): Reply {
    const { entity, nowMs } = this.#moment(id);
    const rejection = repetition(this, id, call) ?? conflict(this, id, call);
    if (rejection !== undefined || entity === undefined) return rejection ?? replyWith(this, "NOTFOUND", id);
    return this.#removal(id, entity, call, nowMs);
  }

  #restore(id: string, [to = "", version = "", created, since]: readonly string[], call: ModelCall): Reply {
    const rejection = repetition(this, id, call, true) ?? existence(this, id);
    if (rejection !== undefined) return rejection;
    const { machine, timeMs } = this;
    const spec = stateOf(machine, to);
    if (spec === undefined) throw new ErrorReply("BADARG to");
    if (!/^[1-9]\d{0,11}$/.test(version)) throw new ErrorReply("BADARG version");
    if (String(created).length > 13) throw new ErrorReply("BADARG created");
    if (String(since).length !== 13 || Number(since) > timeMs + MOST_AHEAD_MS)
      throw new ErrorReply("BADARG since");
    const enteredMs = Math.min(Number(since), timeMs); // the clock of the source may be a little ahead
    const { set, unset } = call;
    const stamp = JSON.stringify(isoOf(enteredMs));
    const before = NO_FIELDS;
    const applied = applyFields({ machine, set, unset, before, state: to, stamp, maySetStamps: true });
    if (applied === "MISSING") return replyWith(this, "MISSING", id);
    const position = this.positionAfter(call.seen);
    const entity = {
      ...{ state: to, version: Number(version), createdAt: isoOf(Math.min(Number(created), enteredMs)) },
      ...{ changedMs: timeMs, enteredMs, renewedMs: spec.lease === undefined ? 0 : timeMs, dueMs: undefined },
      ...{ ...applied, log: [], forgot: position },
    };
    const after = { ...entity, dueMs: this.#plainDue(entity) };
    return this.#change(id, call, `${machine.name}.restored`, null, after, position);
  }

  #heartbeat(id: string, call: ModelCall): Reply {
    const { entity, nowMs, isAhead } = this.#moment(id);
    const rejection = lateness(this, id, call) ?? conflict(this, id, call);
    if (rejection !== undefined || entity === undefined) return rejection ?? replyWith(this, "NOTFOUND", id);
    const spec = this.#spec(entity.state);
    if (spec.lease === undefined) return replyWith(this, "ILLEGAL", id);
    const { fixedMs } = endsOf(spec, entity, isAhead, this.timeMs, nowMs);
    const known = isAhead ? 0 : (entity.dueMs ?? 0);
    const dueMs = first(fixedMs, Math.max(nowMs + spec.lease.for, known));
    this.entities.set(id, { ...entity, renewedMs: nowMs, dueMs });
    return replyWith(this, "OK", id);
  }

  #expire(id: string): Reply {
    const moment = this.#moment(id);
    const { entity, nowMs, isAhead } = moment;
    if (entity === undefined) return replyWith(this, "NOTFOUND", id);
    const spec = this.#spec(entity.state);
    const ends = endsOf(spec, entity, isAhead, this.timeMs, nowMs);
    const dueMs = first(ends.fixedMs, ends.leaseMs);
    if (dueMs === undefined || dueMs > this.timeMs) {
      this.entities.set(id, { ...entity, dueMs, renewedMs: ends.renewedMs });
      return replyWith(this, "NOTDUE", id);
    }
    const { to, set, reason } = firedTimer(spec, entity, ends, dueMs);
    const call = { ...NO_CALL, actor: "latchkey", reason, set };
    if (to === undefined) return this.#removal(id, entity, call, nowMs);
    const reply = this.#enter(id, to, call, moment, true);
    // A timer that cannot fire stays overdue.
    if (reply.outcome === "MISSING") this.entities.set(id, { ...entity, dueMs });
    return reply;
  }

  #get(id: string): Reply {
    const dueMs = this.entities.get(id)?.dueMs;
    const text = this.snapshot(id, dueMs === undefined ? {} : { dueAt: isoOf(dueMs) });
    return { outcome: text === null ? "NOTFOUND" : "OK", text, position: null };
  }

  #moment(id: string): Moment {
    return momentOf(this.entities.get(id), this.timeMs);
  }

  /** Enters a state, by a creation, a transition or a timer. */
  #enter(id: string, to: string, call: ModelCall, { entity, nowMs }: Moment, isTimer = false): Reply {
    const { set, unset, isForced: mayUnsetStamps } = call;
    const stamp = JSON.stringify(isoOf(nowMs));
    const before = entity?.fields ?? NO_FIELDS;
    const change = { machine: this.machine, before, state: to, set, unset, stamp, mayUnsetStamps, isTimer };
    const applied = applyFields(change);
    if (applied === "MISSING") return replyWith(this, "MISSING", id);
    const spec = this.#spec(to);
    const born = {
      version: 0,
      createdAt: isoOf(nowMs),
      changedMs: nowMs,
      log: [],
      forgot: this.forgotten(id),
    };
    const entered = { state: to, enteredMs: nowMs, renewedMs: 0, dueMs: firstDue(spec, nowMs) };
    const after = { ...next({ ...born, ...entity }, nowMs), ...entered, ...applied };
    return this.#change(id, call, spec.event, entity?.state ?? null, after);
  }

  #removal(id: string, entity: ModelEntity, call: ModelCall, nowMs: number): Reply {
    const after = { ...next(entity, nowMs), fields: NO_FIELDS, written: NO_FIELDS };
    return this.#change(id, call, `${this.machine.name}.removed`, entity.state, after);
  }

  /** Makes a change, unless it is a dry run. */
  #change(
    id: string,
    call: ModelCall,
    type: string,
    from: string | null,
    after: ModelEntity & Pick<ModelChange, "written">,
    position = this.positionAfter(),
  ): Reply {
    const { written, ...entity } = after;
    const change: ModelChange = { ...call, type, from, entity, written };
    if (call.isDryRun)
      return { outcome: "OK", text: changeText(this.machine.name, id, change), position: null };
    const isRemoval = type === `${this.machine.name}.removed`;
    const text = isRemoval ? this.erase(id, change, position) : this.write(id, change, position);
    return { outcome: "OK", text, position };
  }

  #plainDue(entity: ModelEntity): number | undefined {
    const { fixedMs, leaseMs } = endsOf(this.#spec(entity.state), entity, true, this.timeMs, this.timeMs);
    return first(fixedMs, leaseMs);
  }

  /** Returns a state of the installed version; empty if it is dropped. */
  #spec(state: string): CompiledState {
    return stateOf(this.machine, state) ?? { event: "" };
  }
}

/** Returns an entity with its next version. */
function next<T extends Pick<ModelEntity, "version" | "changedMs">>(entity: T, changedMs: number): T {
  return { ...entity, version: entity.version + 1, changedMs };
}
