/** How long to wait before the next try: full jitter, so that many clients do not come back at once. Pure. */

const FIRST_MS = 500;
export const LONGEST_MS = 20_000;

/** Milliseconds before try number `failures + 1`; `random` is in [0, 1). */
export function waitMs(failures: number, random: number): number {
  const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(failures, 16));
  return Math.round(random * ceiling);
}
