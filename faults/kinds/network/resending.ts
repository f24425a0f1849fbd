import { scripts } from "latchkey/lua";
import type { PlannedCall } from "../../client/workload.js";
import { type Arena, type Details, EVERYWHERE, type Fault, VoidInjection } from "../../fault.js";
import { Copies } from "../../proxy/copies.js";
import { happens } from "../../random.js";
import { chooseChange, directSend, rawCall, type Send } from "../scripts/raw-call.js";
import { dayOffsets, setClocks } from "../servers/clock.js";
import { COPIED_AFTER_MS, losing } from "./losses.js";

const LEAST_MET = 50;
const CALLS = 80;
/** Number of earlier changes that a caller may repeat. */
const REPEATABLE = 20;

/** Delivers copies of requests in every way while the primary's clock is set by a day, forward and back. */
const clockAndCopies: Fault = {
  name: "F28 requests resent while the clock is set by a day",
  topologies: EVERYWHERE,
  loses: false,
  setsClock: true,
  async inject(arena): Promise<Details> {
    const { proxies, random, onCopy } = arena;
    const resending = { onCopy, longestMs: random.of(COPIED_AFTER_MS) };
    const offsetsMs = dayOffsets(random);
    const node = await arena.primary();
    const countOf = (): number =>
      proxies.reduce((sum, { hits }) => sum + hits.resend + hits.resendElsewhere + hits.strand, 0);
    const before = countOf();
    try {
      const { overlap } = await arena.withOverlap(LEAST_MET, () => {
        const treatment = { resend: 0.2, resendElsewhere: 0.3, strand: 0.05, resending };
        for (const proxy of proxies) proxy.treat(treatment, random.below(2 ** 31));
        return setClocks(arena, node, offsetsMs);
      });
      const copied = countOf() - before;
      if (copied === 0) throw new VoidInjection(`none of ${overlap} calls was copied`);
      return { overlap, copied, longestMs: resending.longestMs, offsetsMs };
    } finally {
      for (const proxy of proxies) proxy.heal();
    }
  },
};

/**
 * Sends requests again by itself, as client libraries do when a connection closes: an attempt without a reply is still
 * delivered, at once or later, before or after the one that gets the reply.
 */
function resendingSend({ random, onCopy }: Arena, copies: Copies, send: Send): Send {
  return async (script, keys, args) => {
    const words = ["EVALSHA", scripts[script].sha1, String(keys.length), ...keys, ...args];
    const frame = Buffer.from(`*${words.length}\r\n${words.map(bulk).join("")}`);
    for (let lost = random.below(3); lost > 0; lost -= 1) {
      copies.send(frame, happens(random, 40) ? 0 : random.below(random.of(COPIED_AFTER_MS)), onCopy);
    }
    return send(script, keys, args);
  };
}

function bulk(word: string): string {
  return `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
}

/** Runs raw callers whose client library resends. They race with the clients for the same ids. */
const resendingCallers: Fault = {
  name: "F28 callers that resend by themselves",
  topologies: EVERYWHERE,
  loses: false,
  async inject(arena): Promise<Details> {
    const { random, keys, proxies, onCopy } = arena;
    const partition = random.below(keys.partitions);
    const { admin, port } = await arena.servers.primary(keys.prefix(partition));
    let copied = 0;
    const copies = new Copies(port);
    const counted: Arena = {
      ...arena,
      onCopy: (request) => {
        copied += 1;
        return onCopy(request);
      },
    };
    // The copies are sent with EVALSHA.
    for (const { text } of Object.values(scripts)) await admin.script("LOAD", text);
    const send = resendingSend(counted, copies, directSend(admin));
    const done: PlannedCall[] = [];
    const live = async (): Promise<void> => {
      for (let i = 0; i < CALLS; i += 1) {
        const step = chooseChange(arena, partition, done);
        done.push((await rawCall(arena, "caller-resending", step, send)).call);
        if (done.length > REPEATABLE) done.shift();
      }
    };
    const { overlap } = await arena.withOverlap(LEAST_MET, () => Promise.all([live(), live()]));
    if (copied === 0) throw new VoidInjection(`no request was resent to ${proxies.length} servers`);
    return { overlap, copied };
  },
};

/** Lists the faults that deliver requests more than once, or long after they were sent. */
export const resendingFaults: readonly Fault[] = [
  losing("F28 request resent later", "resend", 60),
  losing("F28 request resent on another connection", "resendElsewhere", 60),
  // The copy comes first if its connection is faster.
  losing("F28 request overtaken by its copy", "resendElsewhere", 60, ({ random }) => ({
    delayMs: 20 + random.below(100),
  })),
  losing("F28 request delivered after its connection closed", "strand", 20),
  clockAndCopies,
  resendingCallers,
];
