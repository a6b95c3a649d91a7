/** Past signals as marks on the bars they fell into. Pure. */
import type { Direction, PastSignal, Timeframe } from '../coin/answers';
import { epochSeconds, openOfMoment } from './bars';

export interface SignalMark {
  /** Open of the bar, seconds. */
  time: number;
  direction: Direction;
  price: number;
  /** How many of this direction fell into the bar. */
  count: number;
  newest: PastSignal;
}

/**
 * One mark for each bar and direction, oldest first, of the newest of them. A NEUTRAL that somebody merely asked
 * for is no event and gets none; the hourly ones that count in the record do. Nothing before `firstOpen`.
 */
export function marksOf(signals: readonly PastSignal[], timeframe: Timeframe, firstOpen: number): SignalMark[] {
  const marks = new Map<string, SignalMark>();
  const seen = new Set<string>();
  for (const signal of signals) {
    const at = epochSeconds(signal.asOf);
    if (at === null || seen.has(signal.id)) continue;
    seen.add(signal.id);
    if (signal.direction === 'NEUTRAL' && signal.trigger !== 'schedule') continue;
    const time = openOfMoment(at, timeframe);
    if (time < firstOpen) continue;
    const key = `${time}${signal.direction}`;
    const known = marks.get(key);
    const newest = !known || signal.asOf > known.newest.asOf ? signal : known.newest;
    marks.set(key, { time, direction: signal.direction, price: newest.price, count: (known?.count ?? 0) + 1, newest });
  }
  return [...marks.values()].sort((a, b) => a.time - b.time);
}
