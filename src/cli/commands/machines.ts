import type { Command } from "commander";
import type { CliContext } from "../context.js";
import { withExamples, withFormats } from "../input/formats.js";
import { settingsOf } from "../input/settings.js";
import { writeDocuments } from "../output/documents.js";
import { withLatchkey } from "../session.js";

interface Installed {
  readonly name: string;
  readonly version: number;
  readonly states: readonly string[];
  readonly entities: number;
}

/** `latchkey machines`: what is installed in the namespace. */
export function register(program: Command, context: CliContext): void {
  const command = program
    .command("machines")
    .description("list the machines that are installed")
    .action(() => showMachines(context, command));
  withFormats(command, "table", "json", "jsonl", "yaml", "name");
  withExamples(command, "latchkey machines", "latchkey machines --namespace staging -o json");
}

async function showMachines(context: CliContext, command: Command): Promise<void> {
  const settings = settingsOf(command, context);
  await withLatchkey(settings, async (latchkey) => {
    const installed: Installed[] = [];
    for (const name of await latchkey.machines()) {
      const entities = await latchkey.installed(name);
      if (entities === null) continue;
      const { version, states } = entities.definition;
      const total = Object.values(await entities.count()).reduce((sum, n) => sum + n, 0);
      installed.push({ name, version, states: Object.keys(states), entities: total });
    }
    if (settings.format === "table") {
      const { tableText } = await import("../output/table.js");
      await context.write(tableText(columns, installed));
      return;
    }
    const documents = installed.map((one) => ({
      machine: "machine",
      id: one.name,
      text: JSON.stringify(one),
    }));
    await writeDocuments(context, settings.format, documents);
  });
}

const columns = [
  { title: "NAME", value: ({ name }: Installed) => name },
  { title: "VERSION", value: ({ version }: Installed) => String(version) },
  { title: "STATES", value: ({ states }: Installed) => states.join(",") },
  { title: "ENTITIES", value: ({ entities }: Installed) => String(entities) },
];
