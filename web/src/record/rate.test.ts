import { describe, expect, it } from 'vitest';

import type { Trades } from '../types/answers';
import { differenceVerdict, intervalText, numberText, rateVerdict, whyNoRate } from './rate';

const NONE_YET: Trades = {
  emitted: 0, scored: 0, unscorable: 0, open: 0, wins: 0, hitRate: null, wilsonLow: null, wilsonHigh: null, effectiveN: null,
  apartLow: null, apartHigh: null, breakEven: null, barrierBreakEven: null, meanNetFrac: null, meanNetLowFrac: null,
  meanNetHighFrac: null, totalNetFrac: null, maxDrawdownFrac: null,
};

describe('rateVerdict', () => {
  it('claims only what the whole interval shows', () => {
    expect(rateVerdict({ ...NONE_YET, apartLow: 0.55, apartHigh: 0.6, breakEven: 0.5 })).toBe('better');
    expect(rateVerdict({ ...NONE_YET, apartLow: 0.4, apartHigh: 0.45, breakEven: 0.5 })).toBe('worse');
    expect(rateVerdict({ ...NONE_YET, apartLow: 0.45, apartHigh: 0.6, breakEven: 0.5 })).toBe('open');
    expect(rateVerdict(NONE_YET)).toBeNull();
  });
});

describe('differenceVerdict', () => {
  it('mirrors around zero', () => {
    expect(differenceVerdict(0.001, 0.01)).toBe('better');
    expect(differenceVerdict(-0.01, -0.001)).toBe('worse');
    expect(differenceVerdict(-0.01, 0.01)).toBe('open');
    expect(differenceVerdict(null, 0.01)).toBeNull();
  });
});

describe('texts', () => {
  it('name the interval and the number', () => {
    expect(intervalText(0.516, 0.612)).toBe('52% to 61%');
    expect(intervalText(-0.001, 0.002, { decimals: 2, plus: true })).toBe('−0.10% to +0.20%');
    expect(intervalText(null, 0.6)).toBe('–');
    expect(numberText({ ...NONE_YET, scored: 120, effectiveN: 34.2 })).toBe('120 scored, worth 34 independent');
  });

  it('say why there is no rate', () => {
    expect(whyNoRate(NONE_YET)).toBe('no LONG or SHORT was called for yet');
    expect(whyNoRate({ ...NONE_YET, emitted: 3, open: 3 })).toBe('3 trades are still open');
    expect(whyNoRate({ ...NONE_YET, emitted: 3, unscorable: 3 })).toBe('no trade has an outcome yet');
  });
});
