import { channel } from "node:diagnostics_channel";
import { startValkey } from "./start.js";

/** A question for the server of this process. */
interface Question {
  url?: Promise<string>;
}

/** Shared by all copies of this module in the process: jest loads one for each test file. */
const servers = channel("latchkey:testing:server");

/**
 * Returns the URL of the server that all tests of this process share: VALKEY_URL if it is set, otherwise a server that
 * `startValkey` starts at the first call. It ends with the process.
 *
 * @throws the errors of `startValkey`
 */
export function sharedServerUrl(): Promise<string> {
  const { VALKEY_URL: given = "" } = process.env;
  if (given !== "") return Promise.resolve(given);
  const question: Question = {};
  servers.publish(question);
  if (question.url !== undefined) return question.url;
  const url = startValkey().then((server) => server.url);
  const answer = (message: unknown): void => {
    (message as Question).url = url;
  };
  servers.subscribe(answer);
  url.catch(() => servers.unsubscribe(answer)); // the next call tries again
  return url;
}
