import { describe, expect, it } from 'vitest';

import type { Alert, FeedSignal } from '../types/live';
import { dropCounts, EVERYTHING, filterFeed, joinFeed } from './feed';

const signal = (id: string, asOf: string, direction: FeedSignal['direction'] = 'LONG'): FeedSignal => ({
  id, symbol: 'BTC', direction, mode: 'balanced', trigger: 'schedule', score: 70, confidence: 40, coverage: 1,
  priceUsd: 1, asOf, reason: '',
});
const alert = (id: string, asOf: string, dropReason: string | null = null): Alert => ({
  id, revision: 1, kind: 'STOP_HUNT', symbol: 'SOL', direction: 'SHORT', severity: 'watch', side: 'LONG', phase: 'peak',
  started: asOf, asOf, usd: 1, ratio: 1, windowS: 30, priceUsd: 1, percentileFrac: null, confidence: 50,
  final: false, kept: dropReason === null, dropReason,
});

const T = ['2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z', '2026-01-01T00:00:02Z'] as const;
const FEED = joinFeed([signal('1', T[1])], [alert('2', T[0]), alert('3', T[2], 'muted')]);
const ids = (items: { id: string }[]): string[] => items.map((item) => item.id);

describe('joinFeed', () => {
  it('is newest first over both kinds', () => {
    expect(ids(FEED)).toEqual(['a-3', 's-1', 'a-2']);
  });
});

describe('filterFeed', () => {
  it('leaves out what was not sent unless that is asked for', () => {
    expect(ids(filterFeed(FEED, EVERYTHING))).toEqual(['s-1', 'a-2']);
    expect(ids(filterFeed(FEED, { ...EVERYTHING, show: 'dropped' }))).toEqual(['a-3']);
  });

  it('filters by type, coin, direction and kind', () => {
    expect(ids(filterFeed(FEED, { ...EVERYTHING, show: 'signals' }))).toEqual(['s-1']);
    expect(ids(filterFeed(FEED, { ...EVERYTHING, symbol: 'SOL' }))).toEqual(['a-2']);
    expect(ids(filterFeed(FEED, { ...EVERYTHING, direction: 'LONG' }))).toEqual(['s-1']);
    expect(ids(filterFeed(FEED, { ...EVERYTHING, kind: 'STOP_HUNT' }))).toEqual(['a-2']);
    expect(filterFeed(FEED, { ...EVERYTHING, kind: 'OI_SPIKE' })).toEqual([]);
  });
});

describe('dropCounts', () => {
  it('counts reasons, most frequent first', () => {
    const alerts = [alert('1', T[0], 'muted'), alert('2', T[0], 'flip'), alert('3', T[0], 'muted'), alert('4', T[0])];
    expect(dropCounts(alerts)).toEqual([['muted', 2], ['flip', 1]]);
  });
});
