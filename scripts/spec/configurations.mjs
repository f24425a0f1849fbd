// The configurations of spec/Seen.tla. The usual set is small enough for CI; the full one is for a machine with nothing else to do.

/** Values of the constants that a configuration does not name. */
export const DEFAULTS = {
  Kind: "move",
  Remembered: 1,
  Batch: 1,
  PerMs: 2,
  Exact: 1,
  Window: 0,
  MaxTime: 2,
  MaxAttempts: 2,
  MaxOthers: 2,
  MaxBacks: 1,
  MaxLosses: 0,
  MaxRestores: 0,
  OthersKeys: [false],
  Copies: true,
  Resend: false,
};

/** Every invariant of the model. */
export const INVARIANTS = [
  "AtMostOnce",
  "Answers",
  "FoundFromSeen",
  "Final",
  "Accepted",
  "NotInVain",
  "SameAsDesign",
];

const KINDS = ["create", "move", "remove", "restore"];

/** Makes one configuration per kind. */
const each = (kinds, name, constants) =>
  kinds.map((Kind) => ({ name: `${Kind}: ${name}`, constants: { Kind, ...constants } }));

export const USUAL = [
  ...each(KINDS, "copies and a clock step", { MaxOthers: 3 }),
  ...each(KINDS, "copies and a failover", { MaxLosses: 1, MaxBacks: 0 }),
  ...each(KINDS, "no copies, sends again after FORGOTTEN", { Copies: false, Resend: true }),
  ...each(["move"], "forgets two changes at once", {
    Batch: 2,
    MaxOthers: 3,
    MaxBacks: 0,
    OthersKeys: [false, true],
  }),
  ...each(["move"], "remembers two changes", {
    Remembered: 2,
    MaxOthers: 3,
    MaxBacks: 0,
    OthersKeys: [true],
  }),
  ...each(["move", "remove"], "restored after a failover", {
    MaxLosses: 1,
    MaxRestores: 1,
    MaxOthers: 1,
    MaxBacks: 0,
    MaxAttempts: 1,
  }),
];

export const FULL = [
  ...each(KINDS, "copies and a clock step", { MaxTime: 3, MaxOthers: 3, Window: 1 }),
  ...each(KINDS, "copies, a clock step and a failover", { MaxLosses: 1, MaxOthers: 2 }),
  ...each(KINDS, "no copies, sends again after FORGOTTEN, a failover", {
    Copies: false,
    Resend: true,
    MaxAttempts: 3,
    MaxLosses: 1,
  }),
  ...each(KINDS, "remembers two changes", { Remembered: 2, MaxOthers: 4 }),
  ...each(KINDS, "restored after a failover", { MaxLosses: 1, MaxRestores: 1, MaxOthers: 2 }),
];
