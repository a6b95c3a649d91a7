/** What the record's figures mean in words. Pure. A rate never stands without its interval and its number. */
import { formatCount, formatPct, isKnown, NONE } from '../format';
import type { Trades } from '../types/answers';

export type Verdict = 'better' | 'worse' | 'open';

/** Whether the interval of the hit rate lies wholly on one side of break-even. */
export function rateVerdict(trades: Trades): Verdict | null {
  const { apartLow, apartHigh, breakEven } = trades;
  if (!isKnown(apartLow) || !isKnown(apartHigh) || !isKnown(breakEven)) return null;
  if (apartLow > breakEven) return 'better';
  return apartHigh < breakEven ? 'worse' : 'open';
}

/** Whether an interval of a difference excludes zero. */
export function differenceVerdict(low: number | null, high: number | null): Verdict | null {
  if (!isKnown(low) || !isKnown(high)) return null;
  if (low > 0) return 'better';
  return high < 0 ? 'worse' : 'open';
}

/** "52% to 61%", or the dash when there is none. */
export function intervalText(low: number | null, high: number | null, options: { decimals?: number; plus?: boolean } = {}): string {
  if (!isKnown(low) || !isKnown(high)) return NONE;
  const how = { decimals: 0, ...options };
  return `${formatPct(low, how)} to ${formatPct(high, how)}`;
}

/** "120 scored, worth 34 independent". */
export function numberText(trades: Trades): string {
  const n = `${formatCount(trades.scored)} scored`;
  return isKnown(trades.effectiveN) ? `${n}, worth ${formatCount(trades.effectiveN)} independent` : n;
}

/** Why there is no rate. */
export function whyNoRate(trades: Trades): string {
  if (trades.emitted === 0) return 'no LONG or SHORT was called for yet';
  if (trades.scored === 0 && trades.open > 0) return `${formatCount(trades.open)} trades are still open`;
  return 'no trade has an outcome yet';
}
