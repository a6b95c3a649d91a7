/**
 * How many decimals a price axis needs. A coin at 127,000 and one at 0.0000081 both get about six significant
 * digits, so neighbouring ticks never read the same. Pure.
 */
export interface PricePrecision {
  precision: number;
  minMove: number;
}

const SIGNIFICANT = 6;
const MOST_DECIMALS = 12;

/** Worked numbers: 127085.9 -> 1 decimal, 3.21 -> 5, 0.0000118 -> 10. Without a price: 2. */
export function precisionOf(price: number | null | undefined): PricePrecision {
  if (price === null || price === undefined || !Number.isFinite(price) || price === 0) {
    return { precision: 2, minMove: 0.01 };
  }
  const magnitude = Math.floor(Math.log10(Math.abs(price)));
  const precision = Math.min(MOST_DECIMALS, Math.max(0, SIGNIFICANT - 1 - magnitude));
  const decimals = magnitude >= SIGNIFICANT ? 0 : Math.max(magnitude >= 3 ? 1 : 2, precision);
  return { precision: decimals, minMove: Number(`1e-${decimals}`) };
}
