/**
 * The picture without a feed: asks the HTTP API every ten seconds for what the feed would have sent.
 * Used where the feed may not be opened (its address is not allowed, a proxy stops it) until it can.
 */
import { ask, problemFrom } from '../api';
import type { StoredSignal } from '../types/answers';
import type { CoinsAnswer } from '../types/http';
import type { Alert, Card, CascadeRow, LiveParts, TopRow } from '../types/live';
import { noteAnswerTime } from './clock';

const EVERY_MS = 10_000;

interface Stamped {
  timestamp: string;
}
type FlowTop = Stamped & { items: TopRow[]; cascades: CascadeRow[] };

async function partOf<T extends Stamped>(path: string, parts: (answer: T) => LiveParts): Promise<LiveParts> {
  try {
    const answer = await ask<T>(path);
    noteAnswerTime(answer.timestamp);
    return parts(answer);
  } catch (error) {
    // One part that fails must not take the others away; the page keeps what it had, with its age.
    console.info(`polling ${path}: ${problemFrom(error).detail}`);
    return {};
  }
}

/** Nothing when the service is not there at all: one refused request is enough to know. */
async function askAll(): Promise<LiveParts> {
  const first = await partOf<CoinsAnswer>('/api/coins', (a) => ({ coins: a.items }));
  if (!first.coins) return {};
  const rest = await Promise.all([
    partOf<Stamped & { items: Card[] }>('/api/signals', (a) => ({
      cards: Object.fromEntries(a.items.map((card) => [card.symbol, card])),
    })),
    partOf<FlowTop>('/flow/top', (a) => ({ top: a.items, cascades: a.cascades })),
    partOf<Stamped & { items: Alert[] }>('/api/alerts?limit=50', (a) => ({ alerts: a.items })),
    partOf<Stamped & { items: StoredSignal[] }>('/api/signals/history?limit=50', (a) => ({
      signals: a.items.map((stored) => ({ ...stored, priceUsd: stored.price })),
    })),
  ]);
  return Object.assign({}, first, ...rest) as LiveParts;
}

export class Polling {
  private timer: ReturnType<typeof setTimeout> | null = null;
  private running = false;

  constructor(private readonly take: (parts: LiveParts) => void) {}

  start(): void {
    if (this.running) return;
    this.running = true;
    void this.round();
  }

  stop(): void {
    this.running = false;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private async round(): Promise<void> {
    if (!document.hidden) {
      const parts = await askAll();
      if (!this.running) return;
      this.take(parts);
    }
    this.timer = setTimeout(() => void this.round(), EVERY_MS);
  }
}
