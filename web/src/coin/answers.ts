/**
 * The answers this page reads, as far as it reads them. Field names are the API's; units are in its schemas:
 * prices USD per coin, `Frac` fractions, ages seconds, times ISO UTC, a bar's `time` its close.
 */
import type { Mode } from '@/types/http';

export type { Mode };
export type Timeframe = '5m' | '15m' | '30m' | '1h' | '4h' | '1d';
export type Direction = 'LONG' | 'NEUTRAL' | 'SHORT';
export type Side = 'LONG' | 'SHORT';
export type ZoneState = 'untouched' | 'touched' | 'half_filled' | 'ended';

export interface Candle {
  time: string;
  open: number;
  high: number;
  low: number;
  close: number;
  volumeBase: number | null;
}

export interface CandlesAnswer {
  timestamp: string;
  dataMode: string;
  symbol: string;
  timeframe: Timeframe;
  source: string | null;
  exchange: string | null;
  asOf: string | null;
  ageS: number | null;
  candles: Candle[];
  /** Why there are none; null when there are some. */
  missing: { reason: string; detail: string } | null;
}

export interface Zone {
  kind: string;
  direction: 'bullish' | 'bearish';
  label: string;
  top: number;
  bottom: number;
  state: ZoneState;
  formedAt: string;
  knownAt: string;
  liquidationConfluence: boolean;
  liquidationVolume: number | null;
  confluenceScore: number | null;
}

export interface Lack {
  what: string;
  why: string;
}

interface LiquidityHead {
  symbol: string;
  timeframe: Timeframe;
  timestamp: string;
  asOf: string;
  candlesSource: string | null;
  candleClose: string | null;
  atr: number | null;
  missing: Lack[];
}

export interface Structure {
  asOf: string;
  trend: string | null;
  lastBreak: { kind: string; direction: string; level: number; at: string } | null;
  swingHigh: number | null;
  swingLow: number | null;
  range: { high: number; low: number; position: number; zone: string } | null;
}

export interface SmcAnswer extends LiquidityHead {
  structure: Structure | null;
  zones: Zone[];
}

export interface Cluster {
  price: number;
  low: number;
  high: number;
  near: number;
  volume: number;
  side: Side;
  strength: number;
  magnet: number;
  distanceAtr: number;
}

export interface LevelsSource {
  source: string;
  provider: string;
  meaning: string;
  ageS: number;
}

export interface LiquidityMapAnswer extends LiquidityHead {
  levels: LevelsSource | null;
  bias: number | null;
  liquidityMagnets: Cluster[];
}

export interface PastSignal {
  id: string;
  asOf: string;
  trigger: string;
  direction: Direction;
  mode: Mode;
  score: number;
  confidence: number;
  coverage: number;
  price: number;
  reason: string;
}

export interface HistoryAnswer {
  timestamp: string;
  items: PastSignal[];
}

export interface HeatmapGrid {
  columnMinutes: number;
  rowFrac: number;
  coarser: boolean;
  columns: string[];
  rows: { lowUsd: number; highUsd: number; longUsd: number; shortUsd: number }[];
  cells: { column: number; row: number; longUsd: number; shortUsd: number }[];
  cutCells: number;
  cutUsd: number;
}

export interface StrongLevel {
  lowUsd: number;
  highUsd: number;
  longUsd: number;
  shortUsd: number;
  distanceFrac: number;
}

export interface HeatmapAnswer {
  timestamp: string;
  symbol: string;
  model: string;
  source: string;
  state: 'filled' | 'empty_window' | 'nothing_stored';
  sentence: string;
  windowFrom: string;
  windowTo: string;
  firstStored: string | null;
  asOf: string | null;
  ageS: number | null;
  totals: { longUsd: number; shortUsd: number; events: number } | null;
  grid: HeatmapGrid | null;
  price: { priceUsd: number; kind: string; provider: string; ageS: number | null } | null;
  levels: { below: StrongLevel[]; above: StrongLevel[] } | null;
  missing: { part: string; reason: string; detail: string }[];
}

export interface Factor {
  name: string;
  weight: number;
  score: number;
  status: 'ok' | 'stale' | 'missing';
  source: string | null;
  ageS: number | null;
}

export interface FactorDebug {
  name: string;
  percentile: number | null;
  historyN: number;
  detail: string;
  sentence: string;
  basis: string | null;
}

export interface SignalAnswer {
  symbol: string;
  timestamp: string;
  price: number;
  priceKind: string;
  priceSource: string;
  priceAgeS: number | null;
  priceStatus: 'ok' | 'stale';
  signal: Direction;
  mode: Mode;
  score: number;
  confidence: 'low' | 'medium' | 'high';
  confidenceScore: number;
  coverage: number;
  probability: number | null;
  probabilityReason: string | null;
  reason: string;
  reasons: string[];
  factors: Factor[];
  confluence: { timeframe: Timeframe; direction: Direction; score: number; sentence: string; source: string; ageS: number | null } | null;
  confluenceReason: string | null;
  asOf: string;
  missing: { input: string; reason: string }[];
  engineVersion: string;
  debug?: { factors: FactorDebug[] } | null;
}

export interface SourceItem {
  part: string;
  provider: string;
  endpoint: string;
  asOf: string;
  ageS: number | null;
  cache: 'miss' | 'hit' | 'stale';
}

export interface MissingPart {
  part: string;
  reason: string;
  detail: string;
  planNeeded: string | null;
}

export interface FallbackPart extends MissingPart {
  answeredBy: string;
  without: string[];
}

interface DerivativesHead {
  timestamp: string;
  symbol: string;
  sources: SourceItem[];
  missing: MissingPart[];
  fallbacks: FallbackPart[];
}

export interface SeriesItem {
  label: string;
  interval: string;
  percentileFrac: number | null;
  points: number;
  history: { time: string; value: number }[];
}

export interface RatioSeries extends SeriesItem {
  longFrac: number;
  shortFrac: number;
  longShortRatio: number | null;
  change24hFrac: number | null;
}

export interface FundingSeries extends SeriesItem {
  rate8hFrac: number;
  annualisedFrac: number | null;
}

export interface VenueFunding {
  exchange: string;
  margin: string;
  rateFrac: number;
  intervalH: number | null;
  rate8hFrac: number | null;
  annualisedFrac: number | null;
  nextFunding: string | null;
}

export interface VenueOpenInterest {
  exchange: string;
  openInterestUsd: number | null;
  openInterestBase: number | null;
  shareFrac: number | null;
  change24hFrac: number | null;
}

export interface OpenInterestAnswer extends DerivativesHead {
  interval: string;
  openInterestUsd: number | null;
  scope: string | null;
  changes: { window: string; changeFrac: number | null }[];
  barsScope: string | null;
  bars: { time: string; openUsd: number; highUsd: number; lowUsd: number; closeUsd: number }[];
}

export interface FundingAnswer extends DerivativesHead {
  weighted: FundingSeries | null;
}

export interface LongShortAnswer extends DerivativesHead {
  interval: string;
  accounts: RatioSeries | null;
  topAccounts: RatioSeries | null;
  topPositions: RatioSeries | null;
}

export interface DerivativesAnswer extends DerivativesHead {
  fundingExchanges: VenueFunding[] | null;
  fundingSpread: { longExchange: string; shortExchange: string; spread8hFrac: number; annualisedFrac: number } | null;
  openInterestExchanges: VenueOpenInterest[] | null;
  openInterestChanges: { window: string; changeFrac: number | null }[] | null;
}

export interface EndpointAnswer<Row> {
  timestamp: string;
  endpoint: string;
  provider: string;
  plan: string | null;
  asOf: string;
  ageS: number | null;
  newestAt: string | null;
  data: Row[];
}

export interface TradeWindow {
  windowS: number;
  buyUsd: number;
  sellUsd: number;
  buyShareFrac: number | null;
  trades: number;
  largeBuys: number;
  largeSells: number;
  verdict: string | null;
  whyNone: string | null;
  whole: boolean;
}

interface StreamHead {
  timestamp: string;
  symbol: string;
  state: string;
  reason: string | null;
  source: string | null;
  asOf: string | null;
  ageS: number | null;
}

export interface OrderFlowAnswer extends StreamHead {
  largeUsd: number | null;
  windows: TradeWindow[];
}

export interface LiquidationWindow {
  windowS: number;
  longUsd: number;
  shortUsd: number;
  longEvents: number;
  shortEvents: number;
  largestUsd: number;
  dominantSide: string | null;
  dominantShareFrac: number | null;
  whole: boolean;
}

export interface FlowAnswer extends StreamHead {
  newestEvent: string | null;
  coveredSince: string | null;
  windows: LiquidationWindow[];
  cascade: { side: string; phase: string; started: string; usd: number; events: number } | null;
}

export interface Opportunity {
  side: Side;
  entryKind: 'limit' | 'reclaim';
  entry: number;
  stop: number;
  targets: { price: number; rewardRisk: number }[];
  riskAtr: number;
  confluenceScore: number;
  zone: string;
  horizonH: number;
  fillProbability: number;
  fillSource: string | null;
  targetProbability: number;
  stopProbability: number;
  expectancyR: number;
  riskScore: number;
  probability: number | null;
  probabilityReason: string | null;
  volumeConfirmation: { usdShare: number; confirmed: boolean; candles: number } | null;
  invalidation: string[];
}

export interface OpportunitiesAnswer extends LiquidityHead {
  levels: LevelsSource | null;
  opportunities: Opportunity[];
  refused: Lack[];
  note: string;
}
