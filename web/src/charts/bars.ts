/**
 * Time and price of bars. The API stamps a bar with its CLOSE, charts place it at its OPEN; this is the only
 * place that converts. Pure: seconds since the epoch, UTC.
 */
import type { Candle, Timeframe } from '../coin/answers';

export const TIMEFRAMES: readonly Timeframe[] = ['5m', '15m', '30m', '1h', '4h', '1d'];

const SECONDS: Record<Timeframe, number> = {
  '5m': 300,
  '15m': 900,
  '30m': 1800,
  '1h': 3600,
  '4h': 14_400,
  '1d': 86_400,
};

/** A bar as lightweight-charts wants it; `time` is the open in seconds. */
export interface Bar {
  time: number;
  open: number;
  high: number;
  low: number;
  close: number;
}

/** One candle's length in seconds. */
export function secondsOf(timeframe: Timeframe): number {
  return SECONDS[timeframe];
}

/** Seconds since the epoch of an ISO text, or null when it is none. */
export function epochSeconds(iso: string | null | undefined): number | null {
  if (!iso) return null;
  const ms = Date.parse(iso);
  return Number.isFinite(ms) ? Math.floor(ms / 1000) : null;
}

/** Open of the bar that closes at `closeIso`. */
export function openOfClose(closeIso: string, timeframe: Timeframe): number | null {
  const close = epochSeconds(closeIso);
  return close === null ? null : close - secondsOf(timeframe);
}

/** Open of the bar that `seconds` falls into. A bar holds its open and not its close. */
export function openOfMoment(seconds: number, timeframe: Timeframe): number {
  const length = secondsOf(timeframe);
  return Math.floor(seconds / length) * length;
}

/**
 * Candles to bars, oldest first, each time once; candles with an unreadable time or a price that is no number
 * are left out rather than drawn at a made-up place.
 */
export function barsOf(candles: readonly Candle[], timeframe: Timeframe): Bar[] {
  const bars = new Map<number, Bar>();
  for (const candle of candles) {
    const time = openOfClose(candle.time, timeframe);
    const { open, high, low, close } = candle;
    if (time === null || ![open, high, low, close].every(Number.isFinite)) continue;
    bars.set(time, { time, open, high, low, close });
  }
  return [...bars.values()].sort((a, b) => a.time - b.time);
}
