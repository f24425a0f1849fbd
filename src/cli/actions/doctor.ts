import { type CheckResult, LEVELS, type Level, worstLevel } from "../../doctor/check-result.js";
import { BUSY } from "../../doctor/checks/scripts.js";
import { DoctorContext } from "../../doctor/context.js";
import { examine } from "../../doctor/examine.js";
import { ConnectError } from "../../errors/connect-error.js";
import type { CliContext } from "../context.js";
import { EXIT } from "../exit-codes.js";
import type { Settings } from "../input/settings.js";
import type { Paint } from "../output/paint.js";
import { type Column, tableText } from "../output/table.js";
import { shownText } from "../output/terminal-text.js";
import { checkedNames, withConnection } from "../session.js";
import { settingsOptions, shellWord, thisProgram } from "../shell-command.js";

/** Options of `doctor`. */
export interface DoctorFlags {
  readonly strict?: boolean;
}

/** Holds the address of a server and the results of all checks. */
interface DoctorReport {
  readonly server: string;
  readonly checks: readonly CheckResult[];
}

/**
 * Checks the server and the namespace, and prints the results.
 *
 * @throws ConnectError if the server cannot be used; a server that replies BUSY is a result.
 */
export async function runDoctor(context: CliContext, settings: Settings, flags: DoctorFlags): Promise<void> {
  const { server, checks } = await examineServer(settings);
  const report = { server, checks: checks.map((result) => pasteable(result, settings)) };
  if (isFailure(worstLevel(checks), flags.strict === true)) context.exitWith(EXIT.unexpected);
  await context.write(text(report, settings, context.paint));
  if (settings.format !== "json") context.note(doctorSummary(report));
}

/** Returns true if the doctor exits with an error for this worst level. */
export function isFailure(worst: Level, isStrict: boolean): boolean {
  return worst === "fail" || (isStrict && worst === "warn");
}

async function examineServer(settings: Settings): Promise<DoctorReport> {
  const names = await checkedNames(settings);
  try {
    return await withConnection(
      settings,
      async (connection) => ({
        server: connection.address,
        checks: await examine(new DoctorContext(connection, names)),
      }),
      { isPartial: true },
    );
  } catch (error) {
    if (error instanceof ConnectError && error.reason === "busy") {
      return { server: error.address, checks: [BUSY] };
    }
    throw error;
  }
}

/** Adds to commands of this program the options that lead to the same server and namespace. */
function pasteable(result: CheckResult, settings: Settings): CheckResult {
  const { fix } = result;
  if (fix === undefined || !/^latchkey [a-z]+( |$)/.test(fix)) return result;
  const { machine: _, ...given } = settings.given;
  const location = settingsOptions({ ...settings, given }).map(shellWord);
  return { ...result, fix: [fix.replace(/^latchkey/, thisProgram()), ...location].join(" ") };
}

function text(report: DoctorReport, { format }: Settings, paint: Paint): string {
  const worst = worstLevel(report.checks);
  if (format === "json") return `${shownText(JSON.stringify({ ...report, worst }))}\n`;
  const rows = report.checks.toSorted((a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level));
  if (format === "wide") return tableText(checkColumns(paint), rows);
  const width = Math.max(...rows.map(({ id }) => id.length));
  return rows.map((result) => block(result, width, paint)).join("") + hidden(rows);
}

function block(
  { level, id, status, meaning, fix, permission }: CheckResult,
  width: number,
  paint: Paint,
): string {
  const head = `${colour(level, paint)(level.padEnd(4))}  ${shownText(id).padEnd(width)}  ${shownText(status)}\n`;
  if (level === "ok" || permission !== undefined) return head;
  const more = fix === undefined ? [meaning] : [meaning, `fix: ${fix}`];
  return head + more.map((line) => `      ${shownText(line)}\n`).join("");
}

/** Lists the permissions that the skipped checks need, and names the role that has them. */
function hidden(rows: readonly CheckResult[]): string {
  const denied = rows.filter(({ permission }) => permission !== undefined);
  const [fix] = denied.map((row) => row.fix);
  if (fix === undefined) return "";
  const permissions = [...new Set(denied.map(({ permission }) => permission))].join(" ");
  return `\nSome checks were denied: this user lacks ${permissions}\nAn operator may make them all. Its permissions: ${shownText(fix)}\n`;
}

function checkColumns(paint: Paint): readonly Column<CheckResult>[] {
  return [
    { title: "LEVEL", value: ({ level }) => level, paint: (cell, { level }) => colour(level, paint)(cell) },
    { title: "CHECK", value: ({ id }) => id },
    { title: "STATUS", value: ({ status }) => status },
    { title: "MEANING", value: ({ meaning }) => meaning },
    { title: "FIX", value: ({ fix }) => fix },
  ];
}

function colour(level: Level, paint: Paint): (text: string) => string {
  return { ok: paint.green, info: paint.cyan, warn: paint.yellow, fail: paint.red }[level];
}

function doctorSummary({ server, checks }: DoctorReport): string {
  const counts = LEVELS.toReversed().map(
    (level) => `${checks.filter((result) => result.level === level).length} ${level}`,
  );
  return `${server}: ${counts.join(", ")}`;
}
