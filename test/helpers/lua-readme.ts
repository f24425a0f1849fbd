import { readFileSync } from "node:fs";

const text = readFileSync(new URL("../../lua/README.md", import.meta.url), "utf8");

/** Rows of the table whose header begins with the words given; each row a list of cells, back-quotes gone. */
export function table(...header: string[]): string[][] {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${header.join(" | ")} |`));
  if (start < 0) throw new Error(`lua/README.md has no table ${header.join(", ")}`);
  const end = lines.findIndex((line, at) => at > start && !line.startsWith("|"));
  return [lines[start], ...lines.slice(start + 2, end)].map((line) =>
    String(line)
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll("`", "")),
  );
}

/** Of a table with a column per operation: the words of the first column whose cell there is not empty. */
export function wordsByOperation(...header: string[]): Record<string, string[]> {
  const [head = [], ...rows] = table(...header);
  return Object.fromEntries(
    head
      .slice(1, -1)
      .map((operation, at) => [
        operation,
        rows.filter((row) => row[at + 1] !== "").map((row) => String(row[0])),
      ]),
  );
}

/** The text from a line that begins with one phrase to the next empty line. */
export function paragraph(beginning: string): string {
  const start = text.indexOf(`\n${beginning}`);
  if (start < 0) throw new Error(`lua/README.md has no paragraph ${beginning}`);
  return text.slice(start + 1, text.indexOf("\n\n", start + 1));
}

/** The commands of the page's session, each with the output shown below it. */
export function session(): { command: string; output: string }[] {
  const block = /```bash\n(.*?)```/s.exec(text)?.[1];
  if (block === undefined) throw new Error("lua/README.md has no session");
  const steps: { command: string; output: string }[] = [];
  let command: string[] = [];
  let output: string[] | undefined;
  const finish = () => {
    if (command.length > 0) steps.push({ command: command.join("\n"), output: (output ?? []).join("\n") });
    command = [];
    output = undefined;
  };
  for (const line of block.split("\n")) {
    if (line.startsWith("#>")) {
      output ??= [];
      output.push(line.slice(3));
    } else {
      if (output !== undefined || line === "") finish();
      if (line !== "") command.push(line);
    }
  }
  finish();
  return steps;
}
