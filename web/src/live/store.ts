/**
 * What the feed last said, as refs. Each coin has refs of its own, so a price touches one card and nothing else.
 * Messages are joined and put in once per frame: sixty a second cost one small update a frame.
 */
import { shallowRef, type ShallowRef } from 'vue';

import type {
  Alert, Card, CascadeRow, Coin, FeedSignal, LiveParts, MarketPart, Quote, StreamPart, TopRow,
} from '../types/live';
import { joinNewest, joinParts, NOTHING, type Pending } from './merge';

export const coins = shallowRef<Coin[] | null>(null);
export const market = shallowRef<MarketPart | null>(null);
export const top = shallowRef<TopRow[] | null>(null);
export const cascades = shallowRef<CascadeRow[] | null>(null);
export const alerts = shallowRef<Alert[] | null>(null);
export const signals = shallowRef<FeedSignal[] | null>(null);
export const stream = shallowRef<StreamPart | null>(null);
/** Parts that could not be read, by name, and why. */
export const faults = shallowRef<Record<string, { code: string; detail: string }>>({});

const quotes = new Map<string, ShallowRef<Quote | null>>();
const cards = new Map<string, ShallowRef<Card | null>>();

function refIn<T>(map: Map<string, ShallowRef<T | null>>, symbol: string): ShallowRef<T | null> {
  let found = map.get(symbol);
  if (!found) {
    found = shallowRef<T | null>(null);
    map.set(symbol, found);
  }
  return found;
}

/** The live price, liquidations and order flow of a coin; null while unknown. */
export function quoteOf(symbol: string): ShallowRef<Quote | null> {
  return refIn(quotes, symbol);
}

/** The signal card of a coin; null while unknown. */
export function cardOf(symbol: string): ShallowRef<Card | null> {
  return refIn(cards, symbol);
}

function putEntries<T>(
  map: Map<string, ShallowRef<T | null>>,
  entries: Record<string, T | null> | undefined,
  whole: boolean,
): void {
  if (whole) {
    for (const [symbol, held] of map) if (!entries?.[symbol]) held.value = null;
  }
  for (const [symbol, entry] of Object.entries(entries ?? {})) refIn(map, symbol).value = entry;
}

/** Puts joined parts into the refs. */
export function putParts({ whole, parts }: Pending): void {
  putEntries(quotes, parts.quotes, whole);
  putEntries(cards, parts.cards, whole);
  if (parts.coins) coins.value = parts.coins;
  if (parts.market !== undefined) market.value = parts.market;
  if (parts.top) top.value = parts.top;
  if (parts.errors) faults.value = parts.errors;
  if (parts.cascades) cascades.value = parts.cascades;
  if (parts.stream !== undefined) stream.value = parts.stream;
  if (parts.alerts) alerts.value = whole ? parts.alerts : joinNewest(alerts.value ?? [], parts.alerts);
  if (parts.signals) signals.value = whole ? parts.signals : joinNewest(signals.value ?? [], parts.signals);
}

let waiting: Pending = NOTHING;
let frame: number | null = null;

function flush(): void {
  frame = null;
  const now = waiting;
  waiting = NOTHING;
  putParts(now);
}

/** Takes parts in; they show with the next frame. A hidden page has no frames: there they wait, joined. */
export function takeParts(parts: LiveParts, whole: boolean): void {
  waiting = joinParts(waiting, parts, whole);
  frame ??= requestAnimationFrame(flush);
}
