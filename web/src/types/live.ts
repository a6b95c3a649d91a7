/** What the live feed sends (`/ws`), part by part. Money in USD, shares and rates as fractions, times ISO in market time. */

export type Direction = 'LONG' | 'NEUTRAL' | 'SHORT';
export type Side = 'LONG' | 'SHORT';
export type DataMode = 'live' | 'demo' | 'replay';

export interface Coin {
  symbol: string;
  on: boolean;
}

export interface Liquidated {
  longUsd: number;
  shortUsd: number;
  /** False while the span is not covered from its beginning. */
  whole: boolean;
}

export interface Cascade {
  side: Side;
  phase: string;
  started: string;
  usd: number;
  events: number;
}

export interface Flow5m {
  buyUsd: number;
  sellUsd: number;
  buyShareFrac: number | null;
  trades: number;
  largeBuys: number;
  largeSells: number;
  verdict: string | null;
  whyNone: string | null;
}

export interface Quote {
  symbol: string;
  priceUsd: number | null;
  priceAsOf: string | null;
  priceSource: string | null;
  exchange: string | null;
  liq1h: Liquidated | null;
  liq24h: Liquidated | null;
  flow5m: Flow5m | null;
  cascade: Cascade | null;
  asOf: string | null;
}

export interface Card {
  symbol: string;
  signal: Direction | null;
  score: number | null;
  confidence: 'low' | 'medium' | 'high' | null;
  confidenceScore: number | null;
  /** Share of the factor weights that had data, 0 to 1. */
  coverage: number | null;
  reason: string | null;
  reasons: string[];
  missing: string[];
  priceUsd: number | null;
  priceKind: string | null;
  priceSource: string | null;
  priceAsOf: string | null;
  priceStatus: string | null;
  change24hFrac: number | null;
  fundingRate8hFrac: number | null;
  fundingAsOf: string | null;
  openInterestUsd: number | null;
  openInterestAsOf: string | null;
  openInterestSource: string | null;
  probability: number | null;
  asOf: string | null;
  error: { code: string; detail: string } | null;
}

export interface MarketPart {
  fearGreed: number | null;
  fearGreedAsOf: string | null;
  fearGreedLabel: string | null;
  liq1h: (Liquidated & { coins: number }) | null;
  liq24h: (Liquidated & { coins: number }) | null;
  coinsSeen: number;
  state: string;
  reason: string | null;
  asOf: string | null;
}

export interface TopRow {
  symbol: string;
  tier: number;
  longUsd: number;
  shortUsd: number;
  netUsd: number;
  dominantSide: Side | null;
  dominantShareFrac: number | null;
  /** Net amount against the size that counts as a cascade for this coin. */
  ratio: number | null;
  priceUsd: number | null;
  whole: boolean;
}

export interface CascadeRow extends Cascade {
  symbol: string;
  priceUsd: number | null;
}

export interface Alert {
  id: string;
  revision: number;
  kind: string;
  symbol: string;
  direction: Direction;
  severity: string;
  side: Side | null;
  phase: string | null;
  started: string;
  asOf: string;
  usd: number | null;
  ratio: number | null;
  windowS: number | null;
  priceUsd: number | null;
  percentileFrac: number | null;
  confidence: number | null;
  final: boolean;
  kept: boolean;
  dropReason: string | null;
}

export interface FeedSignal {
  id: string;
  symbol: string;
  direction: Direction;
  mode: string;
  trigger: string;
  score: number;
  confidence: number | null;
  coverage: number;
  priceUsd: number | null;
  asOf: string;
  reason: string;
}

export interface StreamPart {
  state: string;
  reason: string | null;
  newestEvent: string | null;
  workers: number;
  alarms: string[];
}

/** Every part may be absent (a delta); an entry of `quotes` or `cards` that is null is taken away. */
export interface LiveParts {
  coins?: Coin[];
  quotes?: Record<string, Quote | null>;
  cards?: Record<string, Card | null>;
  market?: MarketPart | null;
  top?: TopRow[];
  cascades?: CascadeRow[];
  alerts?: Alert[];
  signals?: FeedSignal[];
  stream?: StreamPart | null;
  /** Parts that could not be read, by name, and why; empty while all can. */
  errors?: Record<string, { code: string; detail: string }>;
}

interface Stamped {
  hub: string;
  seq: number;
  serverTime: string;
}

export type LiveMessage =
  | (LiveParts & Stamped & { type: 'snapshot'; speed: number; dataMode: DataMode })
  | (LiveParts & Stamped & { type: 'delta' })
  | (Stamped & { type: 'beat' })
  | { type: 'error'; code: string; detail: string };
