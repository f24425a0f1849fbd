/** A reaction can't begin, or go on, in this replica. `code` is that of the `ContractError` which callers meet. */
export class ReactionEnded extends Error {
  override readonly name: string = "ReactionEnded";
  readonly code: "BADARG" | "NOREACTION";

  constructor(code: ReactionEnded["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** Other replicas live that want other events. Whichever takes an event would decide for all whether it is wanted. */
export class OtherEventsError extends ReactionEnded {
  override readonly name = "OtherEventsError";

  constructor(reaction: string, theirs: readonly string[], ours: readonly string[]) {
    const told = (types: readonly string[]): string => types.join(", ") || "all events";
    super(
      "BADARG",
      `reaction ${reaction} runs with another "on" in other replicas: theirs is ${told(theirs)}, this one's ${told(ours)}; ` +
        "give it another name, or stop all of those first (one that was killed counts until takeOverAfter has passed)",
    );
  }
}

/** The reaction was forgotten while this replica was away. To make it anew is for who starts it to decide. */
export class ReactionGoneError extends ReactionEnded {
  override readonly name = "ReactionGoneError";

  constructor(reaction: string, isCertain: boolean) {
    const what = isCertain
      ? "was forgotten while this replica gave no sign of life"
      : "is gone from the server, forgotten or lost while this replica gave no sign of life for more than a day";
    super("NOREACTION", `reaction ${reaction} ${what}; start it again only where it is to begin anew`);
  }
}
