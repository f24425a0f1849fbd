import { documentText, type Snapshot } from "../../contract/document.js";
import type { CompiledMachine } from "../../machine/compiled.js";
import { dueOf } from "../../reads/due.js";
import { list, listPage } from "../../reads/list.js";
import type { MachineStore } from "../../valkey/machine-store.js";
import type { ListFlags } from "../commands/list.js";
import type { CliContext } from "../context.js";
import { type Format, isForPeople } from "../input/formats.js";
import type { Settings } from "../input/settings.js";
import { ageText } from "../output/age.js";
import { writeDocuments } from "../output/documents.js";
import { dueText } from "../output/due-text.js";
import { ownFieldTexts } from "../output/own-fields.js";
import { paintState } from "../output/state-paint.js";
import { type Column, TableLines } from "../output/table.js";
import { serverNow } from "../server-now.js";
import { withStore } from "../session.js";

/** The most that one page of a list may have. */
const LONGEST_PAGE = 1000;

/** Shows entities as they are read, until all are shown, the limit is reached or Ctrl-C is pressed. */
export async function listEntities(context: CliContext, settings: Settings, flags: ListFlags): Promise<void> {
  const signal = context.interruption();
  await withStore(
    settings,
    async (store) => {
      const found = new Found(store, flags, signal);
      if (isForPeople(settings.format)) {
        const nowMs = await serverNow(store);
        const due = new Map<string, number | null>();
        const isDue = flags.dueWithin !== undefined || flags.stuck === true;
        const its = columns(context, store.definition, nowMs, settings.format);
        const table = new TableLines(isDue ? [...its, dueColumn(due, nowMs)] : its);
        for await (const entity of found) {
          if (isDue) due.set(entity.id, (await dueOf(store, [entity.id]))[0] ?? null);
          await context.write(table.add(entity));
        }
        await context.write(table.end());
      } else await writeDocuments(context, settings.format, written(found));
      if (found.cursor !== undefined) context.note(`more: --cursor ${found.cursor}`);
    },
    { signal },
  );
}

/** The entities asked for, and where to go on when a limit cut them short. */
class Found implements AsyncIterable<Snapshot> {
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
    const { limit, cursor } = this.#flags;
    const all = limit === undefined && cursor === undefined;
    for await (const entity of all ? list(this.#store, this.#filter()) : this.#pages()) {
      if (this.#signal.aborted) return;
      yield entity;
    }
  }

  async *#pages(): AsyncGenerator<Snapshot, void> {
    let left = this.#flags.limit ?? Number.POSITIVE_INFINITY;
    let { cursor } = this.#flags;
    do {
      const limit = Math.min(left, LONGEST_PAGE);
      const at = cursor === undefined ? {} : { cursor };
      const page = await listPage(this.#store, { ...this.#filter(), ...at, limit });
      yield* page.items;
      left -= page.items.length;
      cursor = page.cursor;
    } while (cursor !== undefined && left > 0);
    this.cursor = cursor;
  }

  #filter(): Omit<ListFlags, "limit" | "cursor"> {
    const { limit, cursor, ...filter } = this.#flags;
    return filter;
  }
}

async function* written(entities: AsyncIterable<Snapshot>) {
  for await (const entity of entities) {
    yield { machine: entity.machine, id: entity.id, text: documentText(entity) };
  }
}

function columns(
  { paint }: CliContext,
  definition: CompiledMachine,
  nowMs: number,
  format: Format,
): Column<Snapshot>[] {
  const wide: Column<Snapshot>[] = [
    { title: "SINCE", value: ({ since }) => since },
    { title: "CREATED", value: ({ createdAt }) => createdAt },
    { title: "CHANGED", value: ({ timestamp }) => timestamp },
    { title: "FIELDS", value: fieldsText },
  ];
  return [
    { title: "ID", value: ({ id }) => id },
    {
      title: "STATE",
      value: ({ state }) => state,
      paint: (text, { state }) => paintState(paint, definition, state, text),
    },
    { title: "VERSION", value: ({ version }) => String(version) },
    ...(format === "wide" ? wide : []),
    { title: "AGE", value: ({ since }) => ageText(nowMs - Date.parse(since)) },
  ];
}

function dueColumn(due: ReadonlyMap<string, number | null>, nowMs: number): Column<Snapshot> {
  const value = ({ id }: Snapshot): string | undefined => {
    const end = due.get(id);
    return end == null ? undefined : dueText(end, nowMs);
  };
  return { title: "DUE", value };
}

function fieldsText(entity: Snapshot): string {
  return ownFieldTexts(entity)
    .map(([field, json]) => `${field}=${json}`)
    .join(",");
}
