import { describe, expect, it } from 'vitest';

import type { TradeOutcome } from '../types/answers';
import { barriersText, costsText, excursionsText, firstEnd, resultOf, tallyText, touchedText } from './outcomes';

const WON: TradeOutcome = {
  id: 'a-1', symbol: 'BTC', direction: 'LONG', score: 71.4, evaluated: '2026-02-25T01:00:00.000Z', ends: '2026-02-25T05:02:00.000Z',
  state: 'scored', reason: null, entered: '2026-02-25T01:02:00.000Z', entry: 100, target: 101, stop: 99, touched: 'target',
  exited: '2026-02-25T03:00:00.000Z', exit: 101, grossFrac: 0.01, costFrac: 0.0016, fundingFrac: 0.0001, netFrac: 0.0083, mfeFrac: 0.01,
  maeFrac: -0.002, win: true,
};
const OPEN: TradeOutcome = {
  ...WON, id: 'a-2', state: 'open', reason: 'no entry is known yet', entered: null, entry: null, target: null, stop: null, touched: null, exited: null,
  exit: null, grossFrac: null, costFrac: null, fundingFrac: null, netFrac: null, mfeFrac: null, maeFrac: null, win: null,
};
const LOST: TradeOutcome = { ...WON, id: 'a-3', touched: 'both', netFrac: -0.0117, grossFrac: -0.01, win: false };
const NEVER: TradeOutcome = { ...OPEN, id: 'a-4', state: 'unscorable', reason: 'candles are missing' };

describe('resultOf', () => {
  it('says in a sign and a word how it went, and calls nothing lost that is not known', () => {
    expect([WON, LOST, OPEN, NEVER].map((row) => resultOf(row).text)).toEqual(['✓ won', '✕ lost', '◷ open', '○ not scored']);
    expect([WON, LOST, OPEN, NEVER].map((row) => resultOf(row).tone)).toEqual(['bull', 'bear', 'soft', 'soft']);
  });
});

describe('texts of one trade', () => {
  it('name what was touched', () => {
    expect([WON, LOST, { ...WON, touched: 'stop' as const }, { ...WON, touched: 'none' as const }].map(touchedText)).toEqual([
      'target', 'both, counts as stop', 'stop', 'neither in time',
    ]);
    expect(touchedText(OPEN)).toBeNull();
  });

  it('take the net return apart', () => {
    expect(costsText(WON)).toBe('move +1.00%, fees and spread −0.16%, funding −0.010%');
    expect(costsText({ ...WON, fundingFrac: -0.0001 })).toContain('funding +0.010%');
    expect(costsText({ ...WON, fundingFrac: null })).toContain('funding not known and not charged');
    expect(costsText(NEVER)).toBe('candles are missing');
  });

  it('show barriers and excursions where they are known', () => {
    expect(barriersText(WON)).toBe('target $101.00, stop $99.0000');
    expect(barriersText(OPEN)).toBe('no entry is known yet');
    expect(excursionsText(WON)).toBe('+1.00% / −0.20%');
    expect(excursionsText(OPEN)).toBeNull();
    expect(excursionsText({ ...WON, mfeFrac: 0 })).toBe('0.00% / −0.20%');
  });
});

describe('texts of a page', () => {
  it('count what is on it', () => {
    expect(tallyText([WON, LOST, OPEN, NEVER, OPEN])).toBe('1 won, 1 lost, 2 open, 1 not scored');
    expect(tallyText([OPEN])).toBe('1 open');
    expect(tallyText([])).toBe('');
  });

  it('say when the first is over while none is', () => {
    const earlier = { ...OPEN, ends: '2026-02-25T04:00:00.000Z' };
    expect(firstEnd([OPEN, earlier, OPEN])).toBe('2026-02-25T04:00:00.000Z');
    expect(firstEnd([OPEN, WON])).toBeNull();
    expect(firstEnd([NEVER])).toBeNull();
    expect(firstEnd([])).toBeNull();
  });
});
