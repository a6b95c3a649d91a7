import { describe, expect, it } from 'vitest';

import { barsOf, openOfClose, openOfMoment } from './bars';

const candle = (time: string, close = 2) => ({ time, open: 1, high: 3, low: 1, close, volumeBase: null });
const AT_20 = Date.UTC(2026, 10, 26, 20) / 1000;

describe('time of bars', () => {
  it('places a bar at its open, one timeframe before the close it is stamped with', () => {
    expect(openOfClose('2026-11-26T20:00:00.000Z', '1h')).toBe(AT_20 - 3600);
    expect(openOfClose('2026-11-26T20:00:00.000Z', '1d')).toBe(AT_20 - 86_400);
    expect(openOfClose('soon', '1h')).toBeNull();
  });

  it('puts a moment into the bar that has opened and not closed', () => {
    expect(openOfMoment(AT_20, '1h')).toBe(AT_20);
    expect(openOfMoment(AT_20 - 1, '1h')).toBe(AT_20 - 3600);
  });

  it('sorts bars, keeps the last of two with one time, and leaves out what cannot be drawn', () => {
    const bars = barsOf(
      [
        candle('2026-11-26T20:00:00.000Z'),
        candle('2026-11-26T19:00:00.000Z', 5),
        candle('2026-11-26T20:00:00.000Z', 7),
        candle('never'),
        candle('2026-11-26T18:00:00.000Z', Number.NaN),
      ],
      '1h',
    );
    expect(bars.map((bar) => [bar.time, bar.close])).toEqual([
      [AT_20 - 7200, 5],
      [AT_20 - 3600, 7],
    ]);
  });
});
