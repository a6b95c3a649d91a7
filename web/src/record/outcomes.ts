/** What became of single signals in words. Pure. What is not known is said to be so, with its reason. */
import { formatCount, formatPct, formatPriceUsd, isKnown, timeMs } from '../format';
import type { TradeOutcome } from '../types/answers';

export const HORIZONS = ['15m', '1h', '4h', '24h'] as const;
export type Horizon = (typeof HORIZONS)[number];

export interface Result {
  text: string;
  tone: 'bull' | 'bear' | 'soft';
}

/** How it went, in a sign and a word. A win earned more than it cost; time may have run out. */
export function resultOf(row: TradeOutcome): Result {
  if (row.state === 'open') return { text: '◷ open', tone: 'soft' };
  if (row.state !== 'scored' || row.win === null) return { text: '○ not scored', tone: 'soft' };
  return row.win ? { text: '✓ won', tone: 'bull' } : { text: '✕ lost', tone: 'bear' };
}

const TOUCHED: Record<NonNullable<TradeOutcome['touched']>, string> = {
  target: 'target',
  stop: 'stop',
  both: 'both, counts as stop',
  none: 'neither in time',
};

/** What the price reached first; null while that is not known. */
export function touchedText(row: TradeOutcome): string | null {
  return row.touched === null ? null : TOUCHED[row.touched];
}

/** "target $101.00, stop $99.00", or why there are none. */
export function barriersText(row: TradeOutcome): string {
  if (!isKnown(row.target) || !isKnown(row.stop)) return row.reason ?? 'barriers not known';
  return `target ${formatPriceUsd(row.target)}, stop ${formatPriceUsd(row.stop)}`;
}

/** What the net return is made of: "move +0.52%, fees and spread −0.16%, funding −0.01%". */
export function costsText(row: TradeOutcome): string | null {
  if (row.state !== 'scored') return row.reason;
  const funding = isKnown(row.fundingFrac) ? `funding ${formatPct(-row.fundingFrac, { plus: true, decimals: 3 })}` : 'funding not known and not charged';
  const cost = isKnown(row.costFrac) ? formatPct(-row.costFrac, { plus: true }) : 'not known';
  return `move ${formatPct(row.grossFrac, { plus: true })}, fees and spread ${cost}, ${funding}`;
}

/** "+0.52% / −0.11%": best and worst on the way; null unless both are known. */
export function excursionsText(row: TradeOutcome): string | null {
  if (!isKnown(row.mfeFrac) || !isKnown(row.maeFrac)) return null;
  return `${formatPct(row.mfeFrac, { plus: true })} / ${formatPct(row.maeFrac, { plus: true })}`;
}

/** "12 won, 9 lost, 4 open, 1 not scored" of the rows shown; kinds that are not there are left out. */
export function tallyText(rows: readonly TradeOutcome[]): string {
  const won = rows.filter((row) => row.state === 'scored' && row.win === true).length;
  const lost = rows.filter((row) => row.state === 'scored' && row.win === false).length;
  const open = rows.filter((row) => row.state === 'open').length;
  const parts: [number, string][] = [[won, 'won'], [lost, 'lost'], [open, 'open'], [rows.length - won - lost - open, 'not scored']];
  return parts.filter(([count]) => count > 0).map(([count, word]) => `${formatCount(count)} ${word}`).join(', ');
}

/** When the first of them is over, where none is yet; null as soon as one is, or where there is none. */
export function firstEnd(rows: readonly TradeOutcome[]): string | null {
  if (!rows.length || rows.some((row) => row.state !== 'open')) return null;
  return rows.reduce((first, row) => ((timeMs(row.ends) ?? Infinity) < (timeMs(first) ?? Infinity) ? row.ends : first), rows[0]!.ends);
}
