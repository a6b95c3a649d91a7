/**
 * How many decimals a price axis needs. A coin at 127,000 and one at 0.0000081 both get five or six significant
 * digits, so neighbouring ticks never read the same. Pure.
 */
export interface PricePrecision {
  precision: number;
  minMove: number;
}

/** Digits of prices from 1 up, and of smaller ones, whose leading zeros already take room. */
const SIGNIFICANT = 6;
const SIGNIFICANT_BELOW_ONE = 5;
const MOST_DECIMALS = 12;

/** Worked numbers: 127085.9 -> no decimals, 3.21 -> 5, 0.0000118 -> 9. Without a price: 2. */
export function precisionOf(price: number | null | undefined): PricePrecision {
  if (price === null || price === undefined || !Number.isFinite(price) || price === 0) {
    return { precision: 2, minMove: 0.01 };
  }
  const magnitude = Math.floor(Math.log10(Math.abs(price)));
  const digits = magnitude >= 0 ? SIGNIFICANT : SIGNIFICANT_BELOW_ONE;
  const precision = Math.min(MOST_DECIMALS, Math.max(0, digits - 1 - magnitude));
  return { precision, minMove: Number(`1e-${precision}`) };
}
