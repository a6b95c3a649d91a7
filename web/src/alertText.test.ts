import { describe, expect, it } from 'vitest';

import { alertDetail, dropText, kindText } from './alertText';
import type { Alert } from './types/live';

const ALERT: Alert = {
  id: 'a', revision: 1, kind: 'STOP_HUNT', symbol: 'SOL', direction: 'NEUTRAL', severity: 'urgent', side: 'LONG', phase: 'peak',
  started: '', asOf: '', usd: 1_525_650, ratio: 7.6, windowS: 30, priceUsd: null, percentileFrac: null,
  confidence: 70, final: false, kept: true, dropReason: null,
};

describe('alertDetail', () => {
  it('says whose positions were closed, how much, in what time, and where it stands', () => {
    expect(alertDetail(ALERT)).toBe('$1.53M of longs liquidated in 30 s, past its peak');
  });

  it('mirrors the side', () => {
    expect(alertDetail({ ...ALERT, side: 'SHORT' })).toBe('$1.53M of shorts liquidated in 30 s, past its peak');
  });

  it('says nothing of a size that is not there', () => {
    expect(alertDetail({ ...ALERT, side: null, usd: 0, windowS: 0, phase: null })).toBe('');
  });
});

describe('words', () => {
  it('are found for what is known and made for what is new', () => {
    expect(kindText('WHALE_POSITION')).toBe('Whale position');
    expect(kindText('NEW_KIND')).toBe('New kind');
    expect(dropText('low_confidence')).toBe('confidence too low');
    expect(dropText('new_reason')).toBe('new reason');
  });
});
