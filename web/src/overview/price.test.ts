import { describe, expect, it } from 'vitest';

import type { Card, Quote } from '../types/live';
import { changeAt, newestPrice } from './price';

const quote = (priceUsd: number | null, priceAsOf: string | null) => ({ priceUsd, priceAsOf, exchange: 'Binance' }) as Quote;
const card = (priceUsd: number | null, priceAsOf: string | null) => ({ priceUsd, priceAsOf, priceSource: 'okx' }) as Card;
const EARLY = '2026-01-01T00:00:00Z';
const LATE = '2026-01-01T00:00:09Z';

describe('newestPrice', () => {
  it('is the newer of the two', () => {
    expect(newestPrice(quote(1, LATE), card(2, EARLY))).toEqual({ usd: 1, asOf: LATE, source: 'Binance' });
    expect(newestPrice(quote(1, EARLY), card(2, LATE))).toEqual({ usd: 2, asOf: LATE, source: 'okx' });
  });

  it('is the only one there is, or none', () => {
    expect(newestPrice(quote(null, null), card(2, EARLY)).usd).toBe(2);
    expect(newestPrice(quote(1, EARLY), null).usd).toBe(1);
    expect(newestPrice(null, null)).toEqual({ usd: null, asOf: null, source: null });
  });
});

describe('changeAt', () => {
  const moved = (priceUsd: number | null, change24hFrac: number | null) => ({ priceUsd, change24hFrac }) as Card;

  it('is that of the price that is shown', () => {
    expect(changeAt(95, moved(100, 0))).toBeCloseTo(-0.05);
    expect(changeAt(110, moved(100, 0.1))).toBeCloseTo(0.21);
    expect(changeAt(100, moved(100, 0.1))).toBeCloseTo(0.1);
  });

  it("is the card's own without two prices, and none without that", () => {
    expect(changeAt(null, moved(100, 0.1))).toBe(0.1);
    expect(changeAt(95, moved(null, 0.1))).toBe(0.1);
    expect(changeAt(95, moved(100, null))).toBeNull();
    expect(changeAt(95, null)).toBeNull();
  });
});
