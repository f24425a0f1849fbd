import type { Valkey } from "iovalkey";
import { checkDue } from "./due-check.js";
import type { Part } from "./entity-places.js";
import { checkEvents, type Told } from "./event-check.js";
import type { EventWalk, LastEvent } from "./event-walk.js";
import type { Defect, Finding } from "./finding.js";
import { checkHash } from "./hash-check.js";
import { checkIndex } from "./index-check.js";
import { type Installed, readInstalled } from "./installed.js";
import { checkLog, checkOlder } from "./log-check.js";
import { rebuiltLog } from "./log-rebuild.js";
import { type Look, lookAt } from "./look.js";
import { cureOf, mendEntity } from "./mend.js";
import { checkState } from "./state-check.js";

/** How often an entity that keeps changing is looked at again, before it is left as it is. */
const ATTEMPTS = 5;

/** What to do about what is found. */
export interface Treatment {
  readonly repair: boolean;
  readonly strict: boolean;
}

/** Checks the entities of one partition, a few at a time, while others change them. */
export class EntityCheck {
  readonly #client: Valkey;
  readonly #part: Part;
  readonly #events: EventWalk | undefined;
  readonly #treatment: Treatment;
  #installed: Installed;

  constructor(
    client: Valkey,
    part: Part,
    installed: Installed,
    events: EventWalk | undefined,
    treatment: Treatment,
  ) {
    this.#client = client;
    this.#part = part;
    this.#installed = installed;
    this.#events = events;
    this.#treatment = treatment;
  }

  /** Looks at some ids, and tells how many entities there are among them. What is found counts only where it is found again. */
  async check(
    ids: readonly string[],
  ): Promise<{ findings: Finding[]; logDefects: Defect[]; entities: number }> {
    const findings: Finding[] = [];
    const { seen, logDefects } = await this.#judge(ids);
    for (const { look, defects } of seen) {
      if (defects.length > 0) findings.push(...(await this.#confirm(look.id, defects)));
    }
    return { findings, logDefects, entities: seen.filter(({ look }) => look.hash !== undefined).length };
  }

  async #judge(ids: readonly string[]): Promise<{
    seen: { look: Look; defects: Defect[] }[];
    logDefects: Defect[];
  }> {
    const before = ids.map((id) => this.#events?.last(id));
    const looks = await Promise.all(ids.map((id) => lookAt(this.#client, this.#part, id)));
    const logDefects = (await this.#events?.catchUp(this.#client)) ?? [];
    const seen = await Promise.all(
      looks.map(async (look, at) => ({ look, defects: await this.#defectsOf(look, before[at]) })),
    );
    return { seen, logDefects };
  }

  async #defectsOf(look: Look, before: LastEvent | undefined): Promise<Defect[]> {
    const part = this.#part;
    const installed = this.#installed;
    return [
      ...checkState(look, part, installed),
      ...checkHash(look),
      ...checkIndex(look, part, installed),
      ...checkDue(look, part, installed),
      ...(await this.#logDefects(look)),
      ...(await checkOlder(this.#client, part, look)),
      ...(this.#events === undefined ? [] : checkEvents(look, part, told(this.#events, look.id, before))),
    ];
  }

  async #logDefects(look: Look): Promise<Defect[]> {
    const defects = checkLog(look, this.#part, this.#installed);
    if (this.#events === undefined || !defects.some(({ kind }) => kind === "log-missing")) return defects;
    const log = await rebuiltLog(this.#client, this.#part, look, this.#installed, this.#events);
    if (log === undefined) return defects;
    return defects.map((defect) => (defect.kind === "log-missing" ? { ...defect, mend: { log } } : defect));
  }

  /** Looks again, with the machine as it is by now, and mends what is to be mended and still wrong. */
  async #confirm(id: string, first: readonly Defect[]): Promise<Finding[]> {
    let before = first;
    for (let attempt = 1; ; attempt++) {
      this.#installed = (await readInstalled(this.#client, this.#part)) ?? this.#installed;
      const { seen } = await this.#judge([id]);
      const [now] = seen;
      const kinds = new Set(before.map(({ kind }) => kind));
      const confirmed = now?.defects.filter(({ kind }) => kinds.has(kind)) ?? [];
      if (now === undefined || confirmed.length === 0) return [];
      const cure = this.#treatment.repair
        ? cureOf(confirmed.filter((defect) => !this.#isNotice(defect)))
        : undefined;
      if (cure === undefined || attempt > ATTEMPTS)
        return confirmed.map((defect) => this.#finding(defect, false));
      if (await mendEntity(this.#client, this.#part, now.look, cure)) {
        const after = await this.#judge([id]);
        const left = new Set(after.seen.flatMap(({ defects }) => defects.map(({ kind }) => kind)));
        return confirmed.map((defect) => this.#finding(defect, !left.has(defect.kind)));
      }
      before = now.defects;
    }
  }

  #isNotice(defect: Defect): boolean {
    return defect.isExplicable === true && !this.#treatment.strict;
  }

  #finding(defect: Defect, isMended: boolean): Finding {
    const { kind, id, key, message, mend, why } = defect;
    const common = { kind, id, partition: this.#part.partition, key, message };
    if (this.#isNotice(defect)) {
      const reason = "an older version of the machine may have left it so; --strict takes it for damage";
      return { ...common, result: "notice", why: reason };
    }
    if (mend === undefined) return { ...common, result: "left", ...(why !== undefined && { why }) };
    if (isMended) return { ...common, result: "mended" };
    return this.#treatment.repair
      ? { ...common, result: "left", why: "it is still so, or kept changing; run this again" }
      : { ...common, result: "mendable", why: "--repair mends it" };
  }
}

function told(events: EventWalk, id: string, before: LastEvent | undefined): Told {
  return { before, after: events.last(id), isWhole: events.isWhole, oldestMs: events.oldestMs };
}
