// Known defects of Valkey that matter to latchkey, and the first fixed release of each line.
// Source: the project's security advisories (github.com/valkey-io/valkey/security/advisories), release notes
// (00-RELEASENOTES of each line) and the pull requests named here, as of 22 November 2026.

/** The first fixed release; `never` if no release of the line has the defect. */
type Fix = string | "never";

/** Describes one defect, or several with the same fix. */
export interface KnownDefect {
  /** Its public numbers; the first one is in the id of the result. */
  readonly numbers: readonly string[];
  readonly level: "warn" | "fail";
  /** The possible damage. */
  readonly impact: string;
  /** The first fixed release of each line; a line is absent if it was not looked up. */
  readonly fixes: Readonly<Record<string, Fix>>;
  /** Lines with an unconfirmed release: it was inferred from its date, or sources differ by one release. */
  readonly unconfirmed: readonly string[];
}

/** The lines of the table's columns. */
const LINES = ["7.2", "8.0", "8.1", "9.0", "9.1"];

// The columns: the level, the first fixed release of each line (`-` if it was not looked up, `?` if it is unconfirmed), the
// numbers. The release notes say 9.0.3 for CVE-2025-67733, an advisory 9.0.2.
const TABLE = `
fail -       8.0.1   never   never   never  CVE-2024-31449 CVE-2024-31227 CVE-2024-31228
  any user who may run scripts can run code in the server (Lua bit library); ACL rules and patterns can stop it
fail -       8.0.2   never   never   never  CVE-2024-46981 CVE-2024-51741
  any user who may run scripts can run code in the server (Lua garbage collector)
warn -       8.0.3?  8.1.1   never   never  CVE-2025-21605
  any client that can connect can fill the server's memory
warn -       8.0.4?  8.1.2   never   never  CVE-2025-27151
  a long file name can make valkey-check-aof write outside memory
warn -       8.0.4   8.1.3   never   never  CVE-2025-32023 CVE-2025-48367
  HyperLogLog commands can write outside memory; connections can stop the server
fail -       8.0.6   8.1.4   9.0.0   never  CVE-2025-49844 CVE-2025-46817 CVE-2025-46818 CVE-2025-46819
  any user who may run scripts can run code in the server (Lua parser), or act as another user
fail -       8.0.7   8.1.6   9.0.3?  never  CVE-2025-67733 CVE-2026-21863
  error texts of scripts can forge replies to other callers; a cluster packet can stop the server
warn -       never   never   9.0.3   never  CVE-2026-27623
  an empty request can stop the server
fail -       8.0.9   8.1.7   9.0.4   9.1.0  CVE-2026-23479 CVE-2026-25243 CVE-2026-23631
  blocked clients, RESTORE, or a full sync during a slow script can corrupt the server's memory
warn -       8.0.10  8.1.9   9.0.5   9.1.1  CVE-2026-56684 CVE-2026-63639
  CLIENT KILL under TLS, or a corrupt stream in an RDB file, can corrupt the server's memory
fail 7.2.15  8.0.11  8.1.10  9.0.6?  9.1.2  PR-4342 PR-3983 GHSA-jcj7 GHSA-fq2f
  acknowledged changes are lost: a truncated transaction stays in the append-only file and hides later ones; replay obeys the ACL of the user \`default\`
warn -       8.0.12  8.1.11  9.0.7   9.1.3  GHSA-f4q9-j22m-xqq9
  an oversized PUBLISH in a cluster can write outside memory
fail -       8.0.13  8.1.12? 9.0.8   9.1.4? CVE-2026-130822
  evicting clients (maxmemory-clients) can corrupt the server's memory`;

/** Lists the known defects, oldest first. */
export const KNOWN_DEFECTS = [...TABLE.matchAll(/^(warn|fail) (.*)\n {2}(.*)$/gm)].map(
  ([, level, facts = "", impact = ""]): KnownDefect => {
    const words = facts.split(/ +/);
    const fixes = LINES.map((line, at) => [line, words[at] ?? "-"] as const).filter(([, fix]) => fix !== "-");
    return {
      numbers: words.slice(LINES.length),
      level: level === "fail" ? "fail" : "warn",
      impact,
      fixes: Object.fromEntries(fixes.map(([line, fix]) => [line, fix.replace("?", "")])),
      unconfirmed: fixes.filter(([, fix]) => fix.endsWith("?")).map(([line]) => line),
    };
  },
);

/** The number of the defect by which the replay of the append-only file obeys the ACL of the user `default`. */
export const REPLAY_DEFECT = "PR-3983";
