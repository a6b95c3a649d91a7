/** Which of two prices of a coin is the newer one. Pure. */
import { isKnown, timeMs } from '../format';
import type { Card, Quote } from '../types/live';

export interface ShownPrice {
  usd: number | null;
  asOf: string | null;
  source: string | null;
}

/** The price of the stream, or that of the card where it is newer or the only one. */
export function newestPrice(quote: Quote | null, card: Card | null): ShownPrice {
  const streamed = { usd: quote?.priceUsd ?? null, asOf: quote?.priceAsOf ?? null, source: quote?.exchange ?? quote?.priceSource ?? null };
  const carded = { usd: card?.priceUsd ?? null, asOf: card?.priceAsOf ?? null, source: card?.priceSource ?? null };
  if (!isKnown(streamed.usd)) return carded;
  if (!isKnown(carded.usd)) return streamed;
  return (timeMs(carded.asOf) ?? 0) > (timeMs(streamed.asOf) ?? 0) ? carded : streamed;
}
