import { describe, expect, it } from 'vitest';

import * as f from './format';

describe('formatPrice', () => {
  it.each([
    [96_200, '96,200'],
    [127_085.9, '127,086'],
    [1e6, '1,000,000'],
    [4677.09, '4,677.09'],
    [2.4, '2.4000'],
    [0.8793, '0.8793'],
    [0.00001182, '0.00001182'],
    [1e-8, '0.00000001000'],
    [0, '0'],
  ])('writes %d as %s', (value, text) => {
    expect(f.formatPrice(value)).toBe(text);
  });

  it('never writes a price above zero as zero', () => {
    for (let exponent = -8; exponent <= 6; exponent += 0.25) {
      expect(f.formatPriceUsd(10 ** exponent)).toMatch(/[1-9]/);
    }
  });
});

describe('what is absent', () => {
  it.each([null, undefined, Number.NaN, Infinity])('is a dash everywhere: %s', (value) => {
    const all = [f.formatPrice, f.formatPriceUsd, f.formatUsd, f.formatCompact, f.formatCount, f.formatNumber];
    const rest = [f.formatPct, f.formatFunding, f.formatScore, f.formatTimes, f.formatAge];
    for (const format of [...all, ...rest]) expect(format(value)).toBe(f.NONE);
  });

  it('is a dash for times, too', () => {
    expect(f.formatTime(null)).toBe(f.NONE);
    expect(f.formatTime('yesterday')).toBe(f.NONE);
    expect(f.formatUtc(undefined)).toBe(f.NONE);
  });
});

describe('formatUsd', () => {
  it.each([
    [1_240_000, '$1.24M'],
    [62_801.5, '$62.8K'],
    [83_431_419_500, '$83.4B'],
    [1.5e12, '$1.50T'],
    [999_600, '$1.00M'],
    [834, '$834'],
    [0, '$0'],
    [0.0123, '$0.0123'],
    [-8699.07, '−$8.70K'],
  ])('writes %d as %s', (value, text) => {
    expect(f.formatUsd(value)).toBe(text);
  });

  it('says a sign for a change, and mirrors it', () => {
    expect(f.formatUsd(256_085, { plus: true })).toBe('+$256K');
    expect(f.formatUsd(-256_085, { plus: true })).toBe('−$256K');
  });
});

describe('percentages', () => {
  it('come from fractions with their sign', () => {
    expect(f.formatPct(0.0123, { plus: true })).toBe('+1.23%');
    expect(f.formatPct(-0.0123, { plus: true })).toBe('−1.23%');
    expect(f.formatPct(0.627, { decimals: 0 })).toBe('63%');
  });

  it('give a value that rounds to zero no sign', () => {
    expect(f.formatPct(-0.00001, { plus: true })).toBe('0.00%');
  });

  it('give funding four decimals', () => {
    expect(f.formatFunding(3.554e-5)).toBe('+0.0036%');
    expect(f.formatFunding(-1e-4)).toBe('−0.0100%');
  });
});

describe('formatScore', () => {
  it.each([
    [58.66, '58.6'],
    [50, '50.0'],
    [65, '65.0'],
    [64.96, '64.9'],
    [100, '100.0'],
    [0, '0.0'],
  ])('writes %d as %s', (value, text) => {
    expect(f.formatScore(value)).toBe(text);
  });

  it('mirrors long and short', () => {
    for (let score = 0; score <= 50; score += 0.07) {
      const low = Number(f.formatScore(score));
      const high = Number(f.formatScore(100 - score));
      expect(low + high).toBeCloseTo(100, 9);
    }
  });

  it('never shows a threshold as reached before it is', () => {
    expect(f.formatScore(64.999)).toBe('64.9');
    expect(f.formatScore(35.001)).toBe('35.1');
  });
});

describe('formatAge', () => {
  it.each([
    [0.3, '0 s'],
    [-4, '0 s'],
    [12, '12 s'],
    [59.6, '1 min'],
    [2774, '46 min'],
    [3599, '1 h'],
    [7200, '2 h'],
    [47.4 * 3600, '47 h'],
    [3 * 86_400, '3 d'],
  ])('writes %d seconds as %s', (seconds, text) => {
    expect(f.formatAge(seconds)).toBe(text);
  });
});

describe('times', () => {
  const iso = '2026-11-26T20:46:14.673Z';

  it('are written in the zone of the reader', () => {
    expect(f.formatTime(iso, 'clock', 'Asia/Tokyo')).toBe('05:46:14');
    expect(f.formatTime(iso, 'minute', 'UTC')).toBe('26 Nov, 20:46');
  });

  it('say UTC on hover', () => {
    expect(f.formatUtc(iso)).toBe('2026-11-26 20:46:14 UTC');
  });
});

describe('names', () => {
  it('become words', () => {
    expect(f.words('WHALE_POSITION')).toBe('whale position');
    expect(f.words('notInPlan')).toBe('not in plan');
  });

  it('of wallets are shortened', () => {
    expect(f.shortAddress('0x2e9b64d2599c5444c09505feb792356829f6a0cb')).toBe('0x2e9b…a0cb');
    expect(f.formatTimes(5)).toBe('5×');
  });
});
