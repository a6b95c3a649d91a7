/** Answers of the HTTP API that the pages read; only the fields they use. */
import type { DataMode } from './live';

export interface Problem {
  status: number;
  code: string;
  title: string;
  detail: string;
  /** Names close to an unknown coin. */
  near: string[];
  planNeeded: string | null;
  requestId: string | null;
}

export type Mode = 'conservative' | 'balanced' | 'aggressive';

/** LONG from `long` up, SHORT from `short` down, in points of the score. */
export interface Threshold {
  long: number;
  short: number;
}

export interface SessionAnswer {
  signedIn: boolean;
  loginRequired: boolean;
  name: string | null;
  scopes: string[];
  dataMode: DataMode;
  version: string;
  live: boolean;
  liveReason: string | null;
  /** Null for who may not read, absent in an older service. */
  thresholds?: Record<Mode, Threshold> | null;
}

export interface CoinEntry {
  symbol: string;
  on: boolean;
  configured: boolean;
  saved: boolean;
  addedAt: string | null;
}

export interface CoinsAnswer {
  timestamp: string;
  dataMode: DataMode;
  items: CoinEntry[];
  on: number;
  limit: number;
  changed?: string;
  didChange?: boolean;
}
