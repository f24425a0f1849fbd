import { BUSY } from "../../doctor/checks/busy.js";
import { DoctorContext } from "../../doctor/context.js";
import { examine } from "../../doctor/examine.js";
import { type Finding, LEVELS, type Level, worstLevel } from "../../doctor/finding.js";
import { userLine } from "../../doctor/rights/lines.js";
import { ConnectError } from "../../errors/connect-error.js";
import type { CliContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import type { Settings } from "../input/settings.js";
import type { Paint } from "../output/paint.js";
import { type Column, tableText } from "../output/table.js";
import { shownJson, shownText } from "../output/terminal-text.js";
import { checkedNames, withConnection } from "../session.js";
import { settingsOptions, shellWord, thisProgram } from "../shell-command.js";

/** Options of `doctor`. */
export interface DoctorFlags {
  readonly strict?: boolean;
}

/** The findings about a server. */
interface Report {
  readonly server: string;
  readonly findings: readonly Finding[];
}

/**
 * Checks the server and the namespace, and prints the findings.
 *
 * @throws ConnectError if the server cannot be used; a server that replies BUSY is a finding.
 */
export async function runDoctor(context: CliContext, settings: Settings, flags: DoctorFlags): Promise<void> {
  const { server, findings } = await look(settings);
  const report = { server, findings: findings.map((finding) => pasteable(finding, settings)) };
  if (isFailure(worstLevel(findings), flags.strict === true)) context.exitWith(EXIT.unexpected);
  await context.write(text(report, settings, context.paint));
  if (settings.format !== "json") context.note(summary(report));
}

/** Returns true if the doctor exits with an error for this worst level. */
export function isFailure(worst: Level, isStrict: boolean): boolean {
  return worst === "bad" || (isStrict && worst === "warn");
}

async function look(settings: Settings): Promise<Report> {
  const names = await checkedNames(settings);
  try {
    return await withConnection(settings, async (connection) => ({
      server: connection.address,
      findings: await examine(new DoctorContext(connection, names)),
    }));
  } catch (error) {
    if (error instanceof ConnectError && error.reason === "busy") {
      return { server: error.address, findings: [BUSY] };
    }
    throw error;
  }
}

/** Adds to commands of this program the options that lead to the same server and namespace. */
function pasteable(finding: Finding, settings: Settings): Finding {
  const { mend } = finding;
  if (mend === undefined || !/^latchkey [a-z]+( |$)/.test(mend)) return finding;
  const { machine: _, ...given } = settings.given;
  const location = settingsOptions({ ...settings, given }).map(shellWord);
  return { ...finding, mend: [mend.replace(/^latchkey/, thisProgram()), ...location].join(" ") };
}

function text(report: Report, { format, namespace }: Settings, paint: Paint): string {
  const acl = { writer: userLine("writer", namespace), reader: userLine("reader", namespace) };
  const worst = worstLevel(report.findings);
  if (format === "json") return `${shownJson(JSON.stringify({ ...report, worst, acl }))}\n`;
  const rows = report.findings.toSorted((a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level));
  if (format === "wide") return tableText(columns(paint), rows);
  const width = Math.max(...rows.map(({ id }) => id.length));
  return (
    rows.map((finding) => block(finding, width, paint)).join("") +
    hidden(rows) +
    users(rows, Object.values(acl))
  );
}

function block({ level, id, seen, means, mend, needs }: Finding, width: number, paint: Paint): string {
  const head = `${colour(level, paint)(level.padEnd(4))}  ${shownText(id).padEnd(width)}  ${shownText(seen)}\n`;
  if (level === "ok" || needs !== undefined) return head;
  const more = mend === undefined ? [means] : [means, `fix: ${mend}`];
  return head + more.map((line) => `      ${shownText(line)}\n`).join("");
}

/** Lists the permissions that the skipped checks need. */
function hidden(rows: readonly Finding[]): string {
  const denied = rows.filter(({ needs }) => needs !== undefined);
  const [user] = denied.map(({ mend = "" }) => mend.split(" ").slice(0, 3).join(" "));
  if (user === undefined) return "";
  const needs = [...new Set(denied.map((finding) => finding.needs))].join(" ");
  return `\nSome checks were denied. To allow them, run in valkey-cli:\n  ${user} ${needs}\n`;
}

/** Returns the ACL lines for a writer and a reader, unless the user has their permissions or a finding shows them. */
function users(rows: readonly Finding[], lines: readonly string[]): string {
  if (rows.some(({ id, level }) => id === "rights" && level === "ok")) return "";
  const further = lines.filter((line) => !rows.some(({ mend }) => mend === line));
  return `\nTo create users with exactly the permissions they need, run in valkey-cli:\n${further.map((line) => `  ${line}\n`).join("")}`;
}

function columns(paint: Paint): readonly Column<Finding>[] {
  return [
    { title: "LEVEL", value: ({ level }) => level, paint: (cell, { level }) => colour(level, paint)(cell) },
    { title: "CHECK", value: ({ id }) => id },
    { title: "STATUS", value: ({ seen }) => seen },
    { title: "MEANING", value: ({ means }) => means },
    { title: "FIX", value: ({ mend }) => mend },
  ];
}

function colour(level: Level, paint: Paint): (text: string) => string {
  return { ok: paint.green, note: paint.cyan, warn: paint.yellow, bad: paint.red }[level];
}

function summary({ server, findings }: Report): string {
  const counts = LEVELS.toReversed().map(
    (level) => `${findings.filter((finding) => finding.level === level).length} ${level}`,
  );
  return `${server}: ${counts.join(", ")}`;
}
