import { expect, it } from 'vitest';

import type { PastSignal } from '../coin/answers';
import { marksOf } from './markers';

let ids = 0;
const signal = (minute: number, change: Partial<PastSignal> = {}): PastSignal => ({
  id: `s-${(ids += 1)}`,
  asOf: new Date(Date.UTC(2026, 10, 26, 20, minute)).toISOString(),
  trigger: 'request',
  direction: 'LONG',
  mode: 'balanced',
  score: 70,
  confidence: 50,
  coverage: 1,
  price: 100 + minute,
  reason: '',
  ...change,
});
const AT_20 = Date.UTC(2026, 10, 26, 20) / 1000;

it('puts the signals of a bar and direction into one mark, at the price of the newest', () => {
  const marks = marksOf([signal(40), signal(10), signal(20, { direction: 'SHORT' })], '1h', 0);
  expect(marks.map((mark) => [mark.time, mark.direction, mark.price, mark.count])).toEqual([
    [AT_20, 'LONG', 140, 2],
    [AT_20, 'SHORT', 120, 1],
  ]);
});

it('marks a NEUTRAL only when it counts in the record', () => {
  const asked = signal(10, { direction: 'NEUTRAL' });
  const hourly = signal(15, { direction: 'NEUTRAL', trigger: 'schedule' });
  expect(marksOf([asked, hourly], '1h', 0).map((mark) => mark.newest.id)).toEqual([hourly.id]);
});

it('counts a signal that two answers name once, and leaves out what is older than the chart', () => {
  const one = signal(10);
  expect(marksOf([one, one], '1h', 0)[0]?.count).toBe(1);
  expect(marksOf([one], '1h', AT_20 + 1)).toEqual([]);
});
