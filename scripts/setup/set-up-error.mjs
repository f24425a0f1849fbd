/** Thrown if set-up cannot continue. The message contains the reason and a fix. */
export class SetUpError extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
