/**
 * Joins what the feed sent since the last frame into one set of parts. Pure.
 * However much arrives, what waits is bounded: one entry per coin and a capped list of each kind.
 */
import type { Alert, FeedSignal, LiveParts } from '../types/live';

/** Entries a list in the page may hold; the feed itself sends 50 at first. */
export const LIST_LIMIT = 200;

export interface Pending {
  /** True when the parts are a whole picture: what they do not name is gone. */
  whole: boolean;
  parts: LiveParts;
}

export const NOTHING: Pending = { whole: false, parts: {} };

interface Known {
  id: string;
  revision?: number;
}

/** `fresh` (newest first) before `old`, each id once and in its newest revision. A changed entry keeps its place. */
export function joinNewest<T extends Known>(old: readonly T[], fresh: readonly T[], limit = LIST_LIMIT): T[] {
  const changed = new Map(fresh.map((item) => [item.id, item]));
  const kept = old.map((item) => {
    const newer = changed.get(item.id);
    if (!newer) return item;
    changed.delete(item.id);
    return (newer.revision ?? 0) >= (item.revision ?? 0) ? newer : item;
  });
  const added = fresh.filter((item) => changed.get(item.id) === item);
  return [...added, ...kept].slice(0, limit);
}

function joinLists<T extends Known>(old: T[] | undefined, fresh: T[] | undefined): T[] | undefined {
  if (!fresh) return old;
  return old ? joinNewest(old, fresh) : fresh;
}

/** `waiting` with a later message put over it. */
export function joinParts(waiting: Pending, parts: LiveParts, whole: boolean): Pending {
  if (whole) return { whole: true, parts };
  const before = waiting.parts;
  const joined: LiveParts = { ...before, ...parts };
  if (before.quotes && parts.quotes) joined.quotes = { ...before.quotes, ...parts.quotes };
  if (before.cards && parts.cards) joined.cards = { ...before.cards, ...parts.cards };
  const alerts = joinLists<Alert>(before.alerts, parts.alerts);
  const signals = joinLists<FeedSignal>(before.signals, parts.signals);
  if (alerts) joined.alerts = alerts;
  if (signals) joined.signals = signals;
  return { whole: waiting.whole, parts: joined };
}
