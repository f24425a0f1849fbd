const endings: (() => unknown)[] = [];

/** Ends something when the present test file is done. The files of a process share all modules, so `afterAll` of a helper belongs to one file only. */
export function atFileEnd(end: () => unknown): void {
  endings.push(end);
}

/** Ends all that the present test file began. */
export async function endFile(): Promise<void> {
  await Promise.all(endings.splice(0).map((end) => end()));
}
