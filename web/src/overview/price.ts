/** Which of two prices of a coin is the newer one, and its change in a day. Pure. */
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

/**
 * The change of 24 hours at the price that is shown. The card's own belongs to the card's price, which is older while
 * the market moves: 120,000 beside "−1.3%" of a minute ago would be wrong by the move of that minute.
 */
export function changeAt(usd: number | null, card: Card | null): number | null {
  const then = card?.change24hFrac ?? null;
  if (!isKnown(then)) return null;
  if (!isKnown(usd) || !isKnown(card?.priceUsd) || card.priceUsd <= 0) return then;
  return (usd / card.priceUsd) * (1 + then) - 1;
}
