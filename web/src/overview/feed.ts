/** Signals and alerts as one feed, newest first, and its filters. Pure. */
import { timeMs } from '../format';
import type { Alert, Direction, FeedSignal } from '../types/live';

export type FeedItem =
  | { type: 'signal'; id: string; at: string; symbol: string; direction: Direction; signal: FeedSignal }
  | { type: 'alert'; id: string; at: string; symbol: string; direction: Direction; alert: Alert };

export interface FeedFilter {
  /** What to show: everything that was told, only signals, only alerts, or only alerts that were not sent. */
  show: 'all' | 'signals' | 'alerts' | 'dropped';
  kind: string;
  symbol: string;
  direction: '' | Direction;
}

export const EVERYTHING: FeedFilter = { show: 'all', kind: '', symbol: '', direction: '' };

/** One item per entry for as long as the entry lives, so that a row renders anew only when its entry changed. */
const itemOf = new WeakMap<FeedSignal | Alert, FeedItem>();

function remembered(entry: FeedSignal | Alert, make: () => FeedItem): FeedItem {
  let item = itemOf.get(entry);
  if (!item) {
    item = make();
    itemOf.set(entry, item);
  }
  return item;
}

function signalItem(signal: FeedSignal): FeedItem {
  return remembered(signal, () => ({
    type: 'signal', id: `s-${signal.id}`, at: signal.asOf, symbol: signal.symbol, direction: signal.direction, signal,
  }));
}

function alertItem(alert: Alert): FeedItem {
  return remembered(alert, () => ({
    type: 'alert', id: `a-${alert.id}`, at: alert.asOf, symbol: alert.symbol, direction: alert.direction, alert,
  }));
}

export function joinFeed(signals: readonly FeedSignal[], alerts: readonly Alert[]): FeedItem[] {
  const items = [...signals.map(signalItem), ...alerts.map(alertItem)];
  return items.sort((a, b) => (timeMs(b.at) ?? 0) - (timeMs(a.at) ?? 0));
}

function isShown(item: FeedItem, show: FeedFilter['show']): boolean {
  const dropped = item.type === 'alert' && !item.alert.kept;
  if (show === 'dropped') return dropped;
  if (show === 'signals') return item.type === 'signal';
  if (show === 'alerts') return item.type === 'alert' && !dropped;
  return !dropped;
}

export function filterFeed(items: readonly FeedItem[], filter: FeedFilter): FeedItem[] {
  return items.filter(
    (item) =>
      isShown(item, filter.show) &&
      (!filter.symbol || item.symbol === filter.symbol) &&
      (!filter.direction || item.direction === filter.direction) &&
      (!filter.kind || (item.type === 'alert' && item.alert.kind === filter.kind)),
  );
}

/** How many alerts were not sent, by reason, most frequent first. */
export function dropCounts(alerts: readonly Alert[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const alert of alerts) {
    if (!alert.kept && alert.dropReason) counts.set(alert.dropReason, (counts.get(alert.dropReason) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]);
}
