/**
 * Cumulative volume delta: the running sum of taker buys less taker sells. It starts at zero with the first bar
 * that is there, so only its changes mean something. Pure.
 */
export interface TakerBar {
  /** OPEN of the bar: the endpoint passes on what CoinGlass stamps. */
  time: string;
  aggregatedBuyVolumeUsd: number | null;
  aggregatedSellVolumeUsd: number | null;
}

export interface Point {
  /** Seconds since the epoch, UTC. */
  time: number;
  value: number;
}

/**
 * A point for each closed bar at its close, oldest first, each time once. The bar that still runs at `nowS` and
 * bars without both sides are left out: a part of an hour is no hour, and unknown is not zero.
 */
export function cvdOf(bars: readonly TakerBar[], lengthS: number, nowS: number): Point[] {
  const deltas = new Map<number, number>();
  for (const bar of bars) {
    const close = Math.floor(Date.parse(bar.time) / 1000) + lengthS;
    const buy = bar.aggregatedBuyVolumeUsd;
    const sell = bar.aggregatedSellVolumeUsd;
    if (!Number.isFinite(close) || close > nowS || typeof buy !== 'number' || typeof sell !== 'number') continue;
    if (!Number.isFinite(buy) || !Number.isFinite(sell)) continue;
    deltas.set(close, buy - sell);
  }
  let sum = 0;
  return [...deltas.entries()]
    .sort(([a], [b]) => a - b)
    .map(([time, delta]) => {
      sum += delta;
      return { time, value: sum };
    });
}

/** Fraction of the earlier values that lie below the last one, or null without at least 20 of them. */
export function percentileOfLast(values: readonly number[]): number | null {
  const last = values[values.length - 1];
  if (last === undefined || values.length < 21) return null;
  const earlier = values.slice(0, -1);
  return earlier.filter((value) => value < last).length / earlier.length;
}
