import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { freshFolder } from "./folder.js";

/** A certificate and its private key, as files. */
export interface Issued {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Settings of {@link Authority.issue}. */
export interface IssueOptions {
  /** Names of the server. @default DNS:localhost,IP:127.0.0.1 */
  readonly names?: string;
  /** Validity in days; less than 0 if it has expired. @default 2 */
  readonly days?: number;
  /** Encrypts the private key. */
  readonly passphrase?: string;
}

/** A certificate authority of this test alone. */
export interface Authority {
  /** File with its certificate, for those who trust it. */
  readonly caFile: string;
  readonly ca: string;
  issue(options?: IssueOptions): Promise<Issued>;
  /** Server arguments that use a certificate of it. @param clients if clients need a certificate of it too */
  serverArgs(issued: Issued, clients?: "yes" | "no"): string[];
}

const openssl = (...words: string[]) => promisify(execFile)("openssl", words);
const NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1".split(" ");

export async function authority(): Promise<Authority> {
  const folder = await freshFolder();
  const [caFile, caKey] = [join(folder, "ca.crt"), join(folder, "ca.key")];
  const self = ["req", "-x509", ...NEW_KEY, "-nodes", "-days", "2", "-subj", "/CN=latchkey test"];
  await openssl(...self, "-keyout", caKey, "-out", caFile);
  return {
    caFile,
    ca: await readFile(caFile, "utf8"),
    issue: async ({ names = "DNS:localhost,IP:127.0.0.1", days = 2, passphrase } = {}) => {
      const path = join(folder, randomBytes(4).toString("hex"));
      const [certFile, keyFile, request, more] = ["crt", "key", "csr", "ext"].map(
        (end) => `${path}.${end}`,
      ) as [string, string, string, string];
      const secret = passphrase === undefined ? ["-nodes"] : ["-passout", `pass:${passphrase}`];
      await writeFile(more, `subjectAltName=${names}\n`);
      await openssl(
        "req",
        "-new",
        ...NEW_KEY,
        ...secret,
        "-subj",
        "/CN=test",
        "-keyout",
        keyFile,
        "-out",
        request,
      );
      const signer = ["-CA", caFile, "-CAkey", caKey, "-set_serial", `0x${randomBytes(8).toString("hex")}`];
      await openssl(
        "x509",
        "-req",
        "-in",
        request,
        ...signer,
        "-days",
        String(days),
        "-extfile",
        more,
        "-out",
        certFile,
      );
      return { certFile, keyFile };
    },
    serverArgs: ({ certFile, keyFile }, clients = "no") => [
      ...["--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", caFile],
      ...["--tls-auth-clients", clients],
    ],
  };
}

/** Returns server arguments as CONFIG SET takes them. */
export function asSettings(args: readonly string[]): string[] {
  return args.map((word) => word.replace(/^--/, ""));
}

/** A certificate for localhost, its authority, and the server arguments that use it. */
export async function certificate(): Promise<{ ca: string; args: string[] }> {
  const own = await authority();
  return { ca: own.ca, args: own.serverArgs(await own.issue()) };
}
