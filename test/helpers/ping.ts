import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Opens a connection to a server and returns it once PING has been answered. */
export async function pinged({ host, port }: { host: string; port: number }): Promise<Socket> {
  const socket = connect(port, host);
  await once(socket, "connect");
  const answer = await command(socket, "PING");
  if (answer !== "+PONG\r\n") throw new Error(`PING was answered with ${JSON.stringify(answer)}`);
  return socket;
}

/** Sends an inline command and returns the next bytes that arrive: enough for short replies. */
export async function command(socket: Socket, line: string): Promise<string> {
  socket.write(`${line}\r\n`);
  const [bytes] = await once(socket, "data");
  return String(bytes);
}
