// Mutations of spec/Seen.tla. Each leaves out one condition of the rules, and TLC must find that the named invariant is
// violated. Otherwise the condition is superfluous, or the model does not cover it.

const move = { Kind: "move" };
const create = { Kind: "create" };
const remove = { Kind: "remove" };
const restore = { Kind: "restore" };
const lost = { MaxLosses: 1, MaxBacks: 0 };
const single = { Copies: false, Resend: true };

/** Each mutation: name, text, replacement, the invariant that it violates, and constants. */
export const MUTATIONS = [
  // The rule of FORGOTTEN.
  [
    "SEEN is not compared with the end of the log",
    "  \\/ IsAhead(seen)\n",
    "",
    "AtMostOnce",
    { ...create, MaxLosses: 1 },
  ],
  [
    "SEEN is compared with the end of the log only if it is after this millisecond",
    "seen \\div PerMs >= time",
    "seen \\div PerMs > time",
    "FoundFromSeen",
    { ...move, ...lost },
  ],
  [
    "`forgot` is not compared",
    "  \\/ server.entity.exists /\\ server.entity.forgot > seen\n",
    "",
    "AtMostOnce",
    move,
  ],
  [
    "tombstone and floor are not compared",
    "  \\/ ~server.entity.exists /\\ PreviousEnd > seen\n",
    "",
    "AtMostOnce",
    create,
  ],
  ["the floor is not compared", "PreviousEnd > seen", "server.tombstone > seen", "AtMostOnce", create],
  ["the tombstone is not compared", "PreviousEnd > seen", "server.floor > seen", "AtMostOnce", create],
  [
    "SEEN 0-0 means no SEEN",
    "[] Forgotten(attempt.seen) ->",
    "[] attempt.seen > 0 /\\ Forgotten(attempt.seen) ->",
    "AtMostOnce",
    create,
  ],

  // What is remembered.
  [
    "keys are not remembered",
    "  CASE Replayed  ",
    "  CASE FALSE  ",
    "AtMostOnce",
    { ...move, Remembered: 2 },
  ],
  [
    "a change that leaves the log does not raise `forgot`",
    "!.entity.forgot = IF keyed # {} THEN newest ELSE @",
    "!.entity.forgot = @",
    "AtMostOnce",
    { ...move, MaxOthers: 3, MaxBacks: 0 },
  ],
  ["a removal leaves no tombstone", "!.tombstone = RemovalPosition", "!.tombstone = 0", "AtMostOnce", create],
  [
    "a tombstone is rounded down",
    "!.tombstone = RemovalPosition",
    "!.tombstone = (RemovalPosition \\div PerMs - 1) * PerMs",
    "AtMostOnce",
    remove,
  ],
  [
    "a tombstone is rounded up without the log",
    "!.end = RemovalPosition, !.entity",
    "!.end = NextPosition, !.entity",
    "NotInVain",
    remove,
  ],
  ["a trimmed tombstone does not raise the floor", "!.floor = floor,", "!.floor = @,", "AtMostOnce", create],
  ["applying a machine drops the floor", "!.floor = @]", "!.floor = 0]", "AtMostOnce", create],
  ["a created entity begins with 0-0", "forgot |-> PreviousEnd", "forgot |-> 0", "AtMostOnce", remove],
  [
    "a created entity ignores the tombstone",
    "forgot |-> PreviousEnd",
    "forgot |-> server.floor",
    "AtMostOnce",
    remove,
  ],
  [
    "a created entity ignores the floor",
    "forgot |-> PreviousEnd",
    "forgot |-> server.tombstone",
    "AtMostOnce",
    { ...remove, MaxOthers: 3 },
  ],
  [
    "a created entity begins with its own position",
    "forgot |-> PreviousEnd",
    "forgot |-> at",
    "SameAsDesign",
    move,
  ],
  [
    "positions follow the clock alone",
    "Max(time * PerMs, server.end + 1)",
    "time * PerMs",
    "AtMostOnce",
    move,
  ],

  [
    "the oldest of the changes that leave the log raises `forgot`",
    "other <= p\n",
    "other >= p\n",
    "AtMostOnce",
    { ...move, Batch: 2, MaxOthers: 3, MaxBacks: 0, OthersKeys: [true] },
  ],

  // Restoring.
  [
    "a restored entity begins with the end of its previous life",
    "forgot |-> at",
    "forgot |-> PreviousEnd",
    "AtMostOnce",
    { ...move, ...lost, MaxRestores: 1 },
  ],
  [
    "a restore need not be after SEEN",
    "LET at == Max(NextPosition, seen + 1) IN",
    "LET at == NextPosition IN",
    "AtMostOnce",
    { ...move, ...lost, MaxRestores: 1 },
  ],
  [
    "SEEN of a restore by others leaves out the export",
    "Max(export.end, server.end))\n  /\\ spent'",
    "server.end)\n  /\\ spent'",
    "AtMostOnce",
    { ...move, ...lost, MaxRestores: 1 },
  ],
  [
    "a restore is rejected if SEEN is after the end of the log",
    'Kind # "restore" /\\ seen',
    "seen",
    "NotInVain",
    { ...restore, ...lost },
  ],

  // The order of judgement.
  [
    "rejections are judged before FORGOTTEN",
    "[] Forgotten(attempt.seen) ->",
    '[] Judgement(attempt) = "OK" /\\ Forgotten(attempt.seen) ->',
    "Answers",
    move,
  ],
  [
    "EXPIRED is judged before REPLAYED",
    "  CASE Replayed  ",
    "  CASE Replayed /\\ time <= attempt.notAfter  ",
    "Answers",
    move,
  ],
  ["NOTAFTER is not judged", "CASE time > attempt.notAfter  ", "CASE FALSE  ", "Final", move],

  // What the client does.
  [
    "the first attempt has no SEEN",
    "[] Forgotten(attempt.seen) ->",
    "[] attempt.number > 1 /\\ Forgotten(attempt.seen) ->",
    "AtMostOnce",
    create,
  ],
  [
    "every attempt has a new SEEN",
    "Dispatch(Seen, client.open + 1)",
    "Dispatch(server.end, client.open + 1)",
    "AtMostOnce",
    create,
  ],
  [
    "the client sends again although copies are possible",
    "Resend /\\ ~Copies",
    "Resend",
    "AtMostOnce",
    { ...create, Resend: true },
  ],
  [
    "the client sends again although an earlier attempt is open",
    " /\\ client.open = 1\n",
    "\n",
    "AtMostOnce",
    { ...create, ...single, MaxAttempts: 3 },
  ],
  ["any rejection is final", " /\\ \\A attempt \\in remaining : attempt.notAfter < time", "", "Final", move],
  [
    "the clock is set back after a final rejection",
    " /\\ ~client.answer.isFinal\n  /\\ \\E",
    "\n  /\\ \\E",
    "Final",
    move,
  ],
].map(([name, text, replacement, violates, constants]) => ({ name, text, replacement, violates, constants }));

/** Returns the model without the condition. @throws Error unless the condition's text occurs exactly once */
export function mutate(model, { name, text, replacement }) {
  const parts = model.split(text);
  if (parts.length !== 2) throw new Error(`mutation "${name}": its text occurs ${parts.length - 1} times`);
  return parts.join(replacement);
}
