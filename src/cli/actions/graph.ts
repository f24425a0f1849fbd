import { codeOf } from "../../errors/code-of.js";
import { compileMachine } from "../../machine/compile.js";
import type { CompiledMachine, CompiledState } from "../../machine/compiled.js";
import { toDot } from "../../machine/dot.js";
import { durationText } from "../../machine/duration.js";
import { toMermaid } from "../../machine/mermaid.js";
import { toXState } from "../../machine/xstate.js";
import { CliError, usageError } from "../cli-error.js";
import type { CliContext } from "../context.js";
import { readDefinition } from "../input/machine-source.js";
import type { Settings } from "../input/settings.js";
import { stateColumn } from "../output/state-paint.js";
import { type Column, tableText } from "../output/table.js";
import { withEntities } from "../session.js";

/** Options of `graph`. */
export interface GraphFlags {
  readonly file?: string;
  readonly id?: string;
}

/** Draws a machine. With `--id`, marks the state of an entity. */
export async function drawMachine(
  context: CliContext,
  settings: Settings,
  { file, id }: GraphFlags,
): Promise<void> {
  const { format } = settings;
  if (id !== undefined && (format === "xstate" || format === "machine")) {
    throw usageError(`--id does not apply to -o ${format}; use mermaid, dot or table`);
  }
  const fromFile = file === undefined ? undefined : compileMachine(await readDefinition(file, settings));
  const needsServer = fromFile === undefined || id !== undefined;
  const drawn = needsServer ? await fromServer(context, settings, fromFile, id) : undefined;
  const machine = drawn?.definition ?? fromFile;
  if (machine !== undefined) await context.write(drawing(context, settings, machine, drawn?.state));
}

/** Reads the machine, unless a file defines it, and the state of the entity from the server. */
async function fromServer(
  context: CliContext,
  settings: Settings,
  fromFile: CompiledMachine | undefined,
  id: string | undefined,
): Promise<{ definition: CompiledMachine; state?: string }> {
  const location = fromFile === undefined ? settings : { ...settings, machine: fromFile.name };
  try {
    return await withEntities(location, async (entities) => {
      const definition = fromFile ?? entities.definition;
      if (id === undefined) return { definition };
      const entity = await entities.get(id);
      if (entity === null) throw new CliError("NOTFOUND", `${entities.name} ${id} not found`);
      return { definition, state: entity.state };
    });
  } catch (error) {
    const isAbsent =
      codeOf(error) === "NOMACHINE" || (codeOf(error) === "UNREACHABLE" && settings.isDefaultUrl);
    if (id !== undefined || settings.machine !== "agent" || !isAbsent) throw error;
    const why = codeOf(error) === "NOMACHINE" ? "no machine is installed" : "no server is running";
    context.note(`${why}; this is the built-in agent machine`);
    return { definition: compileMachine(await readDefinition(undefined, settings)) };
  }
}

function drawing(
  context: CliContext,
  { format }: Settings,
  machine: CompiledMachine,
  state?: string,
): string {
  switch (format) {
    case "dot":
      return toDot(machine, state);
    case "xstate":
      return `${JSON.stringify(toXState(machine), null, 2)}\n`;
    case "machine":
      return `${machine.json}\n`;
    case "table":
      return tableText(transitionColumns(context, machine, state), Object.entries(machine.states));
    default:
      return toMermaid(machine, state);
  }
}

type TransitionRow = [name: string, state: CompiledState];

function transitionColumns(
  { paint }: CliContext,
  machine: CompiledMachine,
  current?: string,
): Column<TransitionRow>[] {
  return [
    ...(current === undefined
      ? []
      : [{ title: "NOW", value: ([name]: TransitionRow) => (name === current ? "*" : undefined) }]),
    stateColumn(paint, machine, ([name]) => name),
    { title: "KIND", value: ([name, { to }]) => stateKind(machine, name, to === undefined) },
    { title: "TO", value: ([, { to = [] }]) => to.join(",") },
    { title: "REQUIRES", value: ([, { require = [] }]) => require.join(",") },
    { title: "STAMPS", value: ([, { stamp }]) => stamp },
    { title: "EVENT", value: ([, { event }]) => event },
    { title: "DEADLINE", value: ([, state]) => deadlines(state).join(",") },
  ];
}

function stateKind(machine: CompiledMachine, name: string, isFinal: boolean): string | undefined {
  if (isFinal) return "final";
  return name === machine.initial ? "initial" : undefined;
}

function deadlines({ timeout, lease, retain }: CompiledState): string[] {
  return [
    ...(timeout === undefined ? [] : [`timeout:${durationText(timeout.after)}:${timeout.to}`]),
    ...(lease === undefined ? [] : [`lease:${durationText(lease.for)}:${lease.to}`]),
    ...(retain === undefined ? [] : [`retain:${durationText(retain)}`]),
  ];
}
