import { Valkey } from "iovalkey";
import { scripts } from "latchkey/lua";
import { type Details, type Fault, Violation } from "../../fault.js";

/** Invalid arguments of a transition after the id, and the word of BADARG that a script must reply. */
const HOSTILE: readonly (readonly [words: readonly (string | Buffer)[], says: string])[] = [
  [["running", "SET", "n", "nan"], "SET"],
  [["running", "SET", "n", "0x10"], "SET"],
  [["running", "SET", "n", "Infinity"], "SET"],
  [["running", "SET", "n", "1e"], "SET"],
  [["running", "SET", "n", ""], "SET"],
  [["running", "SET", "n", '"\\ud800"'], "SET"],
  [["running", "SET", "n", Buffer.from([0x22, 0xff, 0xfe, 0x22])], "SET"],
  [["running", "SET", "n", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])], "SET"],
  [["running", "SET", "n", '"a\r\n$5\r\nhello\r\n"'], "SET"],
  [["running", "SET", "n", '"\0"'], "SET"],
  [["running", "SET", "n", `"${"x".repeat(1 << 20)}"`], "SET"],
  [["running", "SET", "n", `${"[".repeat(2_000)}${"]".repeat(2_000)}`], "SET"],
  [["running", "SET", "n", '{"a":1}}'], "SET"],
  [["running", "SET", "state", '"done"'], "field"],
  [["running", "SET", "a b", "1"], "field"],
  [["running", "SET", "{tag}", "1"], "field"],
  [["running", "IFVERSION", "9007199254740993"], "IFVERSION"],
  [["running", "IFVERSION", "nan"], "IFVERSION"],
  [["running", "IFVERSION", "0x1"], "IFVERSION"],
  [["running", "IFVERSION", "-1"], "IFVERSION"],
  [["running", "NOTAFTER", "1e99"], "NOTAFTER"],
  [["running", "NOTAFTER", "inf"], "NOTAFTER"],
  [["running", "OP", "a", "SEEN", " 12-0"], "SEEN"],
  [["running", "OP", "a", "SEEN", "12"], "SEEN"],
  [["running", "OP", "a", "SEEN", "1-0\r\n"], "SEEN"],
  [["running", "OP", "a"], "SEEN"],
  [["running", "SEEN", "1-0"], "OP"],
  [["running", "SET", "n", "1e400"], "SET"],
  [["running", "SET", "n", "9".repeat(101)], "SET"],
  [["running", "SET", "n", `${"[".repeat(101)}${"]".repeat(101)}`], "SET"],
  [["running", "ACTOR", "a\r\n+OK\r\n"], "ACTOR"],
  [["running", "REASON", Buffer.from([0xc0, 0x80])], "REASON"],
  [["running", "OP", "a b"], "OP"],
  [["running", "OP", "x".repeat(65)], "OP"],
  [["running\r\n"], "to"],
  [[""], "to"],
  [["running", "FORCE"], "REASON"],
  [["running", "EVAL", "return 1"], "option"],
];

/** Invalid ids. The keys are made from them, as a caller would. */
const HOSTILE_IDS = ["", "a b", "{x}", "a\r\nb", "a\0b", "x".repeat(129), "é", "*", "id\ud800"];

const ROUNDS = 4;

/** Sends malformed calls. Each must be rejected with the right word, write nothing, and keep replies in step. */
const hostile: Fault = {
  name: "F21 hostile input",
  topologies: ["standalone", "sentinel"],
  loses: false,
  async inject(arena): Promise<Details> {
    const { port, admin } = await arena.primary();
    const client = new Valkey({
      port,
      host: "127.0.0.1",
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    });
    client.on("error", () => {}); // calls report it
    const { sha1, text } = scripts.transition;
    await client.script("LOAD", text);
    const id = `hostile-${arena.random.below(1_000_000)}`;
    let sent = 0;
    const expectRejection = async (
      keys: readonly string[],
      words: readonly (string | Buffer)[],
      says: string,
    ): Promise<void> => {
      sent += 1;
      const echo = `still in step ${sent}`;
      // Sent together: a reply that is too long would be taken for the reply to the next request.
      const [answer, echoed] = await Promise.all([
        client.evalsha(sha1, keys.length, ...keys, ...words).catch((error: unknown) => error),
        client.echo(echo),
      ]);
      const text = answer instanceof Error ? answer.message : JSON.stringify(answer);
      if (echoed !== echo) throw new Violation(`replies are out of step after a hostile ${says}`);
      if (text !== `BADARG ${says}`)
        throw new Violation(`a hostile ${says} got the reply ${text.slice(0, 100)}`);
    };
    try {
      const { overlap } = await arena.withOverlap(50, async () => {
        for (let round = 0; round < ROUNDS; round += 1) {
          for (const [words, says] of HOSTILE)
            await expectRejection(arena.keys.ofEntity(id), [id, ...words], says);
          for (const wrong of HOSTILE_IDS)
            await expectRejection(arena.keys.ofEntity(wrong), [wrong, "running"], "id");
        }
      });
      const keys = [id, ...HOSTILE_IDS].flatMap((one) => arena.keys.ofEntity(one).slice(0, 2));
      if ((await admin.exists(...keys)) !== 0) throw new Violation("a hostile call has written something");
      return { sent, overlap };
    } finally {
      client.disconnect();
    }
  },
};

/** Lists the faults of callers that make mistakes or are malicious. */
export const hostileInput: readonly Fault[] = [hostile];
