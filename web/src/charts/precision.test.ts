import { expect, it } from 'vitest';

import { precisionOf } from './precision';

it.each([
  [1_270_859, 0],
  [127_085.9, 0],
  [96_200, 1],
  [4677.09, 2],
  [150.2, 3],
  [3.21, 5],
  [0.8793, 5],
  [0.0000118, 9],
  [1e-9, 12],
])('gives %d an axis of %d decimals', (price, precision) => {
  expect(precisionOf(price)).toEqual({ precision, minMove: Number(`1e-${precision}`) });
});

it('tells neighbouring ticks of a tiny price apart', () => {
  const { minMove, precision } = precisionOf(0.0000118);
  expect((0.0000118).toFixed(precision)).not.toBe((0.0000118 + minMove).toFixed(precision));
});

it.each([null, undefined, 0, Number.NaN])('has two decimals when there is no price: %s', (price) => {
  expect(precisionOf(price).precision).toBe(2);
});
