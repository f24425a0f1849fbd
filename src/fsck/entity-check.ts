import type { Valkey } from "iovalkey";
import { checkDue } from "./due-check.js";
import { checkEvents } from "./event-check.js";
import type { EventWalk, LastEvent } from "./event-walk.js";
import { type Defect, type Finding, manual } from "./finding.js";
import { checkHash } from "./hash-check.js";
import { checkIndex } from "./index-check.js";
import { checkLog, checkOlder } from "./log-check.js";
import type { Partition } from "./partition.js";
import { rebuildLog, repairEntity, repairOf } from "./repair.js";
import { checkStoredState } from "./state-check.js";
import { readStoredEntity, type StoredEntity } from "./stored-entity.js";
import { readStoredMachine, type StoredMachine } from "./stored-machine.js";

/** Number of attempts to repair an entity that keeps changing. */
const ATTEMPTS = 5;

/** Options for the treatment of defects. */
export interface RepairOptions {
  readonly repair: boolean;
  readonly strict: boolean;
}

interface CheckedEntity {
  readonly entity: StoredEntity;
  readonly defects: Defect[];
}

/** Difference of a log that was rebuilt from the event log. */
const REBUILT = "its changes are taken from the event log, without the fields that they set";

/** Checks the entities of one partition, several at a time, while other clients change them. */
export class EntityCheck {
  readonly #client: Valkey;
  readonly #partition: Partition;
  readonly #events: EventWalk | undefined;
  readonly #options: RepairOptions;
  #machine: StoredMachine;

  constructor(
    client: Valkey,
    partition: Partition,
    machine: StoredMachine,
    events: EventWalk | undefined,
    options: RepairOptions,
  ) {
    this.#client = client;
    this.#partition = partition;
    this.#machine = machine;
    this.#events = events;
    this.#options = options;
  }

  /** Checks some ids and counts the entities that exist. A defect is reported only if a second reading confirms it. */
  async check(ids: readonly string[]): Promise<{ findings: Finding[]; entities: number }> {
    const { results, logDefects } = await this.#read(ids);
    const findings = logDefects.map((defect) => manual(this.#partition.number, defect));
    for (const { entity, defects } of results) {
      if (defects.length > 0) findings.push(...(await this.#confirm(entity.id, defects)));
    }
    return { findings, entities: results.filter(({ entity }) => entity.hash !== undefined).length };
  }

  async #read(ids: readonly string[]): Promise<{ results: CheckedEntity[]; logDefects: Defect[] }> {
    const before = ids.map((id) => this.#events?.last(id));
    const entities = await Promise.all(ids.map((id) => readStoredEntity(this.#client, this.#partition, id)));
    const logDefects = (await this.#events?.catchUp(this.#client)) ?? [];
    const results = await Promise.all(
      entities.map(async (entity, at) => ({ entity, defects: await this.#defectsOf(entity, before[at]) })),
    );
    return { results, logDefects };
  }

  async #defectsOf(entity: StoredEntity, before: LastEvent | undefined): Promise<Defect[]> {
    const partition = this.#partition;
    const machine = this.#machine;
    const events = this.#events;
    const evidence = events && {
      ...{ before, after: events.last(entity.id) },
      ...{ isWhole: events.isWhole, oldestMs: events.oldestMs },
    };
    return [
      ...checkStoredState(entity, partition, machine),
      ...checkHash(entity),
      ...checkIndex(entity, partition, machine),
      ...checkDue(entity, partition, machine),
      ...(await this.#logDefects(entity)),
      ...(await checkOlder(this.#client, entity)),
      ...(evidence === undefined ? [] : checkEvents(entity, partition, evidence)),
    ];
  }

  async #logDefects(entity: StoredEntity): Promise<Defect[]> {
    const defects = checkLog(entity, this.#partition, this.#machine);
    if (this.#events === undefined || !defects.some(({ kind }) => kind === "log-missing")) return defects;
    const log = await rebuildLog(this.#client, this.#partition, entity, this.#machine, this.#events);
    if (log === undefined) return defects;
    return defects.map((defect) =>
      defect.kind === "log-missing" ? { ...defect, why: REBUILT, repair: { log } } : defect,
    );
  }

  /** Reads the entity again, with the machine as it is now, and repairs the defects that are confirmed. */
  async #confirm(id: string, defects: readonly Defect[]): Promise<Finding[]> {
    let kinds = kindsOf(defects);
    for (let attempt = 1; ; attempt++) {
      this.#machine = (await readStoredMachine(this.#client, this.#partition)) ?? this.#machine;
      const [now] = (await this.#read([id])).results;
      const confirmed = now?.defects.filter(({ kind }) => kinds.has(kind)) ?? [];
      if (now === undefined || confirmed.length === 0) return [];
      const repair = this.#options.repair
        ? repairOf(confirmed.filter((defect) => !this.#isNotice(defect)))
        : undefined;
      if (repair === undefined || attempt > ATTEMPTS)
        return confirmed.map((defect) => this.#finding(defect, false));
      if (await repairEntity(this.#client, this.#partition, now.entity, repair)) {
        const after = await this.#read([id]);
        const rest = kindsOf(after.results.flatMap((result) => result.defects));
        return confirmed.map((defect) => this.#finding(defect, !rest.has(defect.kind)));
      }
      kinds = kindsOf(now.defects);
    }
  }

  #isNotice(defect: Defect): boolean {
    return defect.isExplicable === true && !this.#options.strict;
  }

  #finding(defect: Defect, isRepaired: boolean): Finding {
    const finding = manual(this.#partition.number, defect);
    if (this.#isNotice(defect)) {
      const why = "an older version of the machine may have caused it; --strict reports it as damage";
      return { ...finding, result: "notice", why };
    }
    if (defect.repair === undefined) return finding;
    if (isRepaired) return { ...finding, result: "repaired" };
    return this.#options.repair
      ? { ...finding, why: "it is still wrong, or kept changing; run fsck again" }
      : { ...finding, result: "repairable", why: "--repair fixes it" };
  }
}

function kindsOf(defects: readonly Defect[]): ReadonlySet<Defect["kind"]> {
  return new Set(defects.map(({ kind }) => kind));
}
