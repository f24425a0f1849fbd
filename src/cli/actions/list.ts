import type { Snapshot } from "../../contract/document.js";
import type { CompiledMachine } from "../../machine/compiled.js";
import type { Duration } from "../../machine/duration.js";
import { dueOf } from "../../reads/due.js";
import { LONGEST_PAGE, list, listPage } from "../../reads/list.js";
import type { EntityReadOptions } from "../../valkey/ask.js";
import type { MachineStore } from "../../valkey/machine-store.js";
import type { CliContext } from "../context.js";
import { type Format, isForPeople } from "../input/formats.js";
import type { Settings } from "../input/settings.js";
import { ageText, dueText } from "../output/ages.js";
import { stored, writeRows } from "../output/documents.js";
import { ownFieldTexts } from "../output/own-fields.js";
import { stateColumn } from "../output/state-paint.js";
import type { Column } from "../output/table.js";
import { serverNow, withStore } from "../session.js";
import { commandFor } from "../shell-command.js";

/** Options of `list`. */
export interface ListFlags extends Pick<EntityReadOptions, "reads"> {
  readonly state?: readonly string[];
  readonly olderThan?: Duration;
  readonly dueWithin?: Duration;
  readonly stuck?: boolean;
  readonly limit?: number;
  readonly cursor?: string;
}

/** Prints entities as they are read, until the end, the limit or Ctrl-C. */
export async function listEntities(context: CliContext, settings: Settings, flags: ListFlags): Promise<void> {
  const { format } = settings;
  const signal = context.interruption();
  await withStore(
    settings,
    async (store) => {
      const entities = new EntityPages(store, flags, signal);
      const nowMs = isForPeople(format) ? await serverNow(store) : 0;
      const isDue = isForPeople(format) && (flags.dueWithin !== undefined || flags.stuck === true);
      const rows = withDue(entities, store, isDue);
      const columns = entityColumns(context, store.definition, nowMs, format, isDue);
      await writeRows(context, format, { rows, columns, document: ({ entity }) => stored(entity) });
      const { cursor } = entities;
      if (cursor === undefined) return;
      const next = commandFor(settings, "list", [], ["--cursor", cursor, ...typedOptions(flags)]);
      context.note(`Next page: ${next}`);
    },
    { signal },
  );
}

/** Returns the options of a list, without its cursor, as they are typed. */
function typedOptions({ cursor: _, ...flags }: ListFlags): string[] {
  return Object.entries(flags).flatMap(([name, value]) => {
    const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    if (value === true) return [option];
    const isDuration = name === "olderThan" || name === "dueWithin";
    return [option, isDuration ? `${value}ms` : String(value)];
  });
}

/** The entities of a list, and the cursor of the next page if a limit ended it. */
class EntityPages implements AsyncIterable<Snapshot> {
  readonly #store: MachineStore;
  readonly #flags: ListFlags;
  readonly #signal: AbortSignal;
  cursor: string | undefined;

  constructor(store: MachineStore, flags: ListFlags, signal: AbortSignal) {
    this.#store = store;
    this.#flags = flags;
    this.#signal = signal;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Snapshot, void> {
    const { limit, cursor, ...filter } = this.#flags;
    const isAll = limit === undefined && cursor === undefined;
    for await (const entity of isAll ? list(this.#store, filter) : this.#pages()) {
      if (this.#signal.aborted) return;
      yield entity;
    }
  }

  async *#pages(): AsyncGenerator<Snapshot, void> {
    let { limit: left = Number.POSITIVE_INFINITY, cursor, ...filter } = this.#flags;
    do {
      const at = cursor === undefined ? {} : { cursor };
      const page = await listPage(this.#store, { ...filter, ...at, limit: Math.min(left, LONGEST_PAGE) });
      yield* page.items;
      left -= page.items.length;
      cursor = page.cursor;
    } while (cursor !== undefined && left > 0);
    this.cursor = cursor;
  }
}

interface EntityRow {
  readonly entity: Snapshot;
  readonly due: number | null;
}

async function* withDue(
  entities: AsyncIterable<Snapshot>,
  store: MachineStore,
  isDue: boolean,
): AsyncGenerator<EntityRow, void> {
  for await (const entity of entities) {
    const [due = null] = isDue ? await dueOf(store, [entity.id], `list ${entity.machine}`) : [];
    yield { entity, due };
  }
}

function entityColumns(
  { paint }: CliContext,
  definition: CompiledMachine,
  nowMs: number,
  format: Format,
  isDue: boolean,
): Column<EntityRow>[] {
  const wide: Column<EntityRow>[] = [
    { title: "SINCE", value: ({ entity }) => entity.since },
    { title: "CREATED", value: ({ entity }) => entity.createdAt },
    { title: "CHANGED", value: ({ entity }) => entity.timestamp },
    { title: "FIELDS", value: ({ entity }) => fieldsText(entity) },
  ];
  const due: Column<EntityRow> = {
    title: "DUE",
    value: ({ due }) => (due === null ? undefined : dueText(due, nowMs)),
  };
  return [
    { title: "ID", value: ({ entity }) => entity.id },
    stateColumn(paint, definition, ({ entity }) => entity.state),
    { title: "VERSION", value: ({ entity }) => String(entity.version) },
    ...(format === "wide" ? wide : []),
    { title: "AGE", value: ({ entity }) => ageText(nowMs - Date.parse(entity.since)) },
    ...(isDue ? [due] : []),
  ];
}

function fieldsText(entity: Snapshot): string {
  return ownFieldTexts(entity)
    .map(([field, json]) => `${field}=${json}`)
    .join(",");
}
