import { describe, expect, it } from 'vitest';

import type { Quote } from '../types/live';
import { joinNewest, joinParts, NOTHING } from './merge';

const quote = (symbol: string, priceUsd: number): Quote => ({
  symbol, priceUsd, priceAsOf: null, priceSource: null, exchange: null,
  liq1h: null, liq24h: null, flow5m: null, cascade: null, asOf: null,
});

describe('joinNewest', () => {
  it('puts what is new in front and a new revision in the old place', () => {
    const old = [{ id: 'b', revision: 1 }, { id: 'a', revision: 1 }];
    const joined = joinNewest(old, [{ id: 'c', revision: 1 }, { id: 'a', revision: 2 }]);
    expect(joined).toEqual([{ id: 'c', revision: 1 }, { id: 'b', revision: 1 }, { id: 'a', revision: 2 }]);
  });

  it('keeps the newer revision when an older one comes late', () => {
    expect(joinNewest([{ id: 'a', revision: 3 }], [{ id: 'a', revision: 2 }])).toEqual([{ id: 'a', revision: 3 }]);
  });

  it('drops the oldest beyond the limit', () => {
    expect(joinNewest([{ id: 'b' }, { id: 'a' }], [{ id: 'c' }], 2)).toEqual([{ id: 'c' }, { id: 'b' }]);
  });
});

describe('joinParts', () => {
  it('keeps the latest of each coin', () => {
    const one = joinParts(NOTHING, { quotes: { BTC: quote('BTC', 1), ETH: quote('ETH', 2) } }, false);
    const two = joinParts(one, { quotes: { BTC: quote('BTC', 3) } }, false);
    expect(two.parts.quotes?.['BTC']?.priceUsd).toBe(3);
    expect(two.parts.quotes?.['ETH']?.priceUsd).toBe(2);
  });

  it('remembers that an entry was taken away', () => {
    const one = joinParts(NOTHING, { quotes: { BTC: quote('BTC', 1) } }, false);
    expect(joinParts(one, { quotes: { BTC: null } }, false).parts.quotes).toEqual({ BTC: null });
  });

  it('forgets all before a whole picture and stays whole with the deltas after it', () => {
    const one = joinParts(NOTHING, { quotes: { BTC: quote('BTC', 1) } }, false);
    const two = joinParts(one, { quotes: { ETH: quote('ETH', 2) } }, true);
    const three = joinParts(two, { coins: [{ symbol: 'ETH', on: true }] }, false);
    expect(three.whole).toBe(true);
    expect(three.parts.quotes).not.toHaveProperty('BTC');
    expect(three.parts.coins).toHaveLength(1);
  });
});
