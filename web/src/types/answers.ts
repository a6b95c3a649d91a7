/** Answers behind Flow, Record and Status. Money in USD, shares as fractions, spans in seconds, times ISO in market time. */
import type { Alert, CascadeRow, Direction, Side, TopRow } from './live';

export interface Stamped {
  timestamp: string;
}

export interface Missing {
  part?: string;
  name?: string;
  reason: string;
  detail?: string | null;
}

export interface WhalePosition {
  wallet: string;
  symbol: string;
  side: Side;
  sizeBase: number | null;
  sizeUsd: number | null;
  entryPriceUsd: number | null;
  markPriceUsd: number | null;
  liquidationPriceUsd: number | null;
  leverage: number | null;
  marginUsd: number | null;
  unrealizedPnlUsd: number | null;
  fundingUsd: number | null;
  opened: string | null;
  updated: string | null;
}

export interface WhaleSource {
  provider: string;
  asOf: string;
}

export interface WhalePositionsAnswer extends Stamped {
  sources: WhaleSource[];
  missing: Missing[];
  exchange: string;
  summary: { longUsd: number; shortUsd: number; longCount: number; shortCount: number } | null;
  positions: WhalePosition[];
  truncated: boolean;
}

export interface WhaleAlert {
  time: string;
  wallet: string;
  symbol: string;
  side: Side;
  action: string;
  sizeUsd: number | null;
  entryPriceUsd: number | null;
  liquidationPriceUsd: number | null;
}

export interface WhaleAlertsAnswer extends Stamped {
  sources: WhaleSource[];
  missing: Missing[];
  exchange: string;
  opened: { longUsd: number; shortUsd: number; longCount: number; shortCount: number } | null;
  alerts: WhaleAlert[];
  truncated: boolean;
}

export interface FlowTopAnswer extends Stamped {
  state: string;
  reason: string | null;
  windowS: number;
  coins: number;
  staleCoins: number;
  items: TopRow[];
  cascades: CascadeRow[];
}

export interface FlowWindow {
  windowS: number;
  longUsd: number;
  shortUsd: number;
  longEvents: number;
  shortEvents: number;
  largestUsd: number;
  lowUsd: number | null;
  highUsd: number | null;
  dominantSide: Side | null;
  dominantShareFrac: number | null;
  whole: boolean;
}

export interface FlowAnswer extends Stamped {
  symbol: string;
  state: string;
  reason: string | null;
  source: string | null;
  asOf: string | null;
  newestEvent: string | null;
  coveredSince: string | null;
  thresholds: { tier: number; cascadeUsd: number; largeUsd: number; absorptionUsd: number } | null;
  windows: FlowWindow[];
}

export interface AlertsAnswer extends Stamped {
  items: Alert[];
  next: string | null;
  note: string | null;
}

export interface SymbolsAnswer extends Stamped {
  exact: string | null;
  found: string[];
  listed: number;
}

export interface Trades {
  emitted: number;
  scored: number;
  unscorable: number;
  open: number;
  wins: number;
  hitRate: number | null;
  wilsonLow: number | null;
  wilsonHigh: number | null;
  effectiveN: number | null;
  apartLow: number | null;
  apartHigh: number | null;
  breakEven: number | null;
  barrierBreakEven: number | null;
  meanNetFrac: number | null;
  meanNetLowFrac: number | null;
  meanNetHighFrac: number | null;
  totalNetFrac: number | null;
  maxDrawdownFrac: number | null;
}

export interface ReliabilityBin {
  low: number;
  high: number;
  n: number;
  probability: number | null;
  hitRate: number | null;
}

export interface Calibration {
  method: string;
  n: number;
  fittedN: number;
  brier: number;
  baseBrier: number;
  skill: number;
  bins: ReliabilityBin[];
}

export interface FullItem {
  trait: string;
  name: string;
  trades: Trades;
  engineMinusFrac: number | null;
  engineMinusLowFrac: number | null;
  engineMinusHighFrac: number | null;
}

export interface FullHorizon {
  horizon: string;
  groups: FullItem[];
  baselines: FullItem[];
  calibration: Calibration | null;
  calibrationReason: string | null;
}

export interface TrackRecordAnswer extends Stamped {
  symbol: string | null;
  summary: string;
  enoughData: boolean;
  neededEffectiveN: number;
  computed: string;
  since: string | null;
  until: string | null;
  engineVersions: string[];
  evaluations: number;
  neutral: number;
  long: number;
  short: number;
  headline: string;
  horizons: { horizon: string; trades: Trades }[];
  probabilityShown: boolean;
  probabilityReason: string | null;
  variants: number;
  deflatedSharpe: { sharpePerDay: number; days: number; benchmark: number; probability: number } | null;
  full: FullHorizon[] | null;
  truncated: boolean;
  notes: string[];
}

export interface VerifyAnswer extends Stamped {
  walked: string;
  ok: boolean;
  chains: number;
  signals: number;
  outcomes: number;
  broken: { chain: string; seq: number; reason: string }[];
}

export interface SignalStatsAnswer extends Stamped {
  since: string;
  total: number;
  totals: { trigger: string; direction: Direction; count: number }[];
  items: { symbol: string; trigger: string; mode: string; direction: Direction; count: number; meanScore: number; meanCoverage: number }[];
}

export interface StatsAnswer extends Stamped {
  since: string;
  coinsListed: number;
  coinsOn: number;
  /** The counts of signals and alerts are null when the store cannot say; `whyNull` says why. */
  signalsTotal: number | null;
  signalsLong: number | null;
  signalsNeutral: number | null;
  signalsShort: number | null;
  alertsTotal: number | null;
  alertsKept: number | null;
  alertsDropped: { reason: string; count: number }[] | null;
  liveClients: number;
  storeState: string;
  storeRowsWaiting: number;
  storeOldestWaitingS: number;
  storeRowsLost: number;
  whyNull: string | null;
}

export interface StoredSignal {
  id: string;
  symbol: string;
  asOf: string;
  trigger: string;
  direction: Direction;
  mode: string;
  score: number;
  confidence: number;
  coverage: number;
  price: number;
  reason: string;
  engineVersion: string;
  chain: string;
  seq: number;
  hash: string;
}

export interface SignalHistoryAnswer extends Stamped {
  items: StoredSignal[];
  next: string | null;
}

/** What became of one signal of the schedule at one horizon; null is not known, `reason` says why. */
export interface TradeOutcome {
  id: string;
  symbol: string;
  direction: 'LONG' | 'SHORT';
  score: number;
  evaluated: string;
  ends: string;
  state: 'open' | 'scored' | 'unscorable';
  reason: string | null;
  entered: string | null;
  entry: number | null;
  target: number | null;
  stop: number | null;
  touched: 'target' | 'stop' | 'both' | 'none' | null;
  exited: string | null;
  exit: number | null;
  grossFrac: number | null;
  costFrac: number | null;
  fundingFrac: number | null;
  netFrac: number | null;
  mfeFrac: number | null;
  maeFrac: number | null;
  win: boolean | null;
}

export interface TradeOutcomesAnswer extends Stamped {
  horizon: string;
  items: TradeOutcome[];
  next: string | null;
}

export interface ProviderHealth {
  provider: string;
  state: string;
  lastSuccess: string | null;
  lastError: string | null;
  breaker: string;
  plan: string | null;
  quotaLeft: number | null;
  quotaLimit: number | null;
  notInPlan: string[];
  planner: { resources: number; callsPerMinute: number; efficiency: number | null; nextPollS: number | null } | null;
}

export interface HealthAnswer extends Stamped {
  status: string;
  priceOk: boolean;
  providers: ProviderHealth[];
  dependencies: { name: string; state: string; detail: string }[];
}

export interface BudgetRow {
  endpoint: string;
  params: string;
  demand: number;
  watched: boolean;
  ageS: number | null;
  minPeriodS: number;
  periodS: number | null;
  dueS: number;
  outcome: string;
}

export interface BudgetAnswer extends Stamped {
  provider: string;
  state: string;
  plan: string | null;
  callsLimit: number | null;
  callsUsed: number | null;
  callsLeft: number | null;
  callsReserved: number | null;
  plannedPerMinute: number | null;
  efficiency: number | null;
  resources: BudgetRow[];
  total: number;
  truncated: boolean;
}

export interface StreamLink {
  source: string;
  state: string;
  detail: string | null;
  lastDataAgeS: number | null;
  frames: number;
  events: number;
  rejects: { name: string; count: number }[];
  reconnects: number;
  gaps: number;
}

export interface StreamWorker {
  worker: string;
  asOf: string;
  links: StreamLink[];
  pipeline: {
    started: string;
    events: number;
    trades: number;
    duplicates: number;
    lateEvents: number;
    symbols: number;
    findings: number;
    lagS: number | null;
    alerts: { name: string; count: number }[];
  } | null;
  gaps: { source: string; since: string; until: string; reason: string }[];
  outbox: { pending: number; sending: number; failed: number; uncertain: number; oldestAgeS: number | null } | null;
  alarms: string[];
  notes: string[];
}

export interface StreamAnswer extends Stamped {
  state: string;
  reason: string | null;
  coins: number;
  newestEvent: string | null;
  workers: StreamWorker[];
}
