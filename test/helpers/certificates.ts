import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { freshFolder } from "./folder.js";

/** A certificate for localhost, made for this test, that signs itself; and the server arguments that use it. */
export async function certificate(): Promise<{ ca: string; args: string[] }> {
  const folder = await freshFolder();
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  await promisify(execFile)("openssl", [
    ..."req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split(" "),
    ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", cert],
  ]);
  const args = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert];
  return { ca: await readFile(cert, "utf8"), args: [...args, "--tls-auth-clients", "no"] };
}
