import { expect, it } from 'vitest';

import { timeBefore, waitAfter } from './part';

it('waits longer after each failure, three minutes at most, never shorter than usual', () => {
  expect([0, 1, 2, 9].map((failures) => waitAfter(20, failures))).toEqual([20, 40, 80, 180]);
  expect(waitAfter(600, 3)).toBe(600);
});

it('turns an age into a time, and no age into none', () => {
  expect(timeBefore('2026-11-26T20:46:14.000Z', 14)).toBe('2026-11-26T20:46:00.000Z');
  expect(timeBefore('2026-11-26T20:46:14.000Z', null)).toBeNull();
  expect(timeBefore('soon', 3)).toBeNull();
});
