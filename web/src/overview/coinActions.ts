/** Adding, switching and removing coins of the watchlist: asks the service and waits for its answer. */
import { shallowRef } from 'vue';

import { ask, problemFrom } from '@/api';
import type { CoinsAnswer, Problem } from '@/types/http';

/** What is being done to which coin, so that its button waits; null when nothing is. */
const busy = shallowRef<string | null>(null);
const problem = shallowRef<Problem | null>(null);
const list = shallowRef<CoinsAnswer | null>(null);
const told = shallowRef('');

async function change(symbol: string, method: 'POST' | 'DELETE' | 'PATCH', path: string, body?: unknown): Promise<boolean> {
  if (busy.value !== null) return false;
  busy.value = symbol;
  problem.value = null;
  try {
    list.value = await ask<CoinsAnswer>(path, { method, body, idempotencyKey: crypto.randomUUID() });
    return true;
  } catch (error) {
    problem.value = problemFrom(error);
    return false;
  } finally {
    busy.value = null;
  }
}

async function load(): Promise<void> {
  try {
    list.value = await ask<CoinsAnswer>('/api/coins');
    problem.value = null;
  } catch (error) {
    problem.value = problemFrom(error);
  }
}

async function add(symbol: string): Promise<boolean> {
  const done = await change(symbol, 'POST', '/api/coins/add', { symbol });
  if (done) told.value = list.value?.didChange === false ? `${list.value.changed} was already there` : `${list.value?.changed ?? symbol} added`;
  return done;
}

async function setOn(symbol: string, on: boolean): Promise<void> {
  const done = await change(symbol, 'PATCH', `/api/coins/${encodeURIComponent(symbol)}/toggle`, { on });
  if (done) told.value = `${symbol} switched ${on ? 'on' : 'off'}`;
}

async function remove(symbol: string): Promise<void> {
  const done = await change(symbol, 'DELETE', `/api/coins/remove/${encodeURIComponent(symbol)}`);
  if (done) told.value = `${symbol} removed`;
}

export function useCoinActions() {
  return { busy, problem, list, told, load, add, setOn, remove };
}
