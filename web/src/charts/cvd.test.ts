import { expect, it } from 'vitest';

import { cvdOf, percentileOfLast, type TakerBar } from './cvd';

const HOUR = 3600;
const AT_20 = Date.UTC(2026, 10, 26, 20) / 1000;
const bar = (hour: number, buy: number | null, sell: number | null): TakerBar => ({
  time: new Date(Date.UTC(2026, 10, 26, hour)).toISOString(),
  aggregatedBuyVolumeUsd: buy,
  aggregatedSellVolumeUsd: sell,
});

it('sums buys less sells in order of time and stamps a bar with its close', () => {
  const points = cvdOf([bar(18, 5, 20), bar(17, 30, 10)], HOUR, AT_20);
  expect(points).toEqual([
    { time: AT_20 - 2 * HOUR, value: 20 },
    { time: AT_20 - HOUR, value: 5 },
  ]);
});

it('mirrors when buys and sells change places', () => {
  const rows: [number, number, number][] = [[15, 4, 1], [16, 2, 9], [17, 3, 3]];
  const sums = cvdOf(rows.map(([h, b, s]) => bar(h, b, s)), HOUR, AT_20).map((point) => point.value);
  const mirrored = cvdOf(rows.map(([h, b, s]) => bar(h, s, b)), HOUR, AT_20).map((point) => -point.value);
  expect(mirrored.map((value) => value + 0)).toEqual(sums);
});

it('leaves out the bar that still runs and bars with a side unknown', () => {
  expect(cvdOf([bar(17, 3, 1), bar(18, null, 1), bar(20, 9, 1)], HOUR, AT_20 + 60)).toEqual([
    { time: AT_20 - 2 * HOUR, value: 2 },
  ]);
});

it('ranks the last value among the earlier ones once there are enough', () => {
  const values = Array.from({ length: 20 }, (_, n) => n);
  expect(percentileOfLast([...values, 5])).toBe(0.25);
  expect(percentileOfLast(values)).toBeNull();
});
