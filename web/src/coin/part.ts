/**
 * One part of the page: asked again every so often while it can be seen, given up when the page is left or asks
 * for something else. A failing part keeps what it had and says what went wrong; no other part notices.
 */
import { onScopeDispose, shallowRef, watch, type Ref, type ShallowRef } from 'vue';

import { ask, problemFrom, wasAborted } from '../api';
import type { Problem } from '../types/http';

export interface Part<T> {
  data: ShallowRef<T | null>;
  problem: ShallowRef<Problem | null>;
  busy: ShallowRef<boolean>;
  refresh: () => void;
}

const LONGEST_WAIT_S = 180;

/** Seconds until the next try after `failures` in a row: doubled each time, three minutes at most. */
export function waitAfter(everyS: number, failures: number): number {
  return Math.min(Math.max(LONGEST_WAIT_S, everyS), everyS * 2 ** Math.min(failures, 8));
}

/**
 * `path`: what to ask for, null for nothing. Asks only while `wanted` and the tab is shown. What is there stays
 * until the answer to a new path comes, unless `subject` (the coin) changed: then it is another's and goes at once.
 */
export function usePart<T>(
  path: () => string | null,
  everyS: number,
  wanted: Ref<boolean>,
  subject: () => string | null,
): Part<T> {
  const data = shallowRef<T | null>(null);
  const problem = shallowRef<Problem | null>(null);
  const busy = shallowRef(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let running: AbortController | null = null;
  let failures = 0;
  let askedAt = -Infinity;
  let held: string | null = null;

  function stop(): void {
    clearTimeout(timer);
    running?.abort();
    running = null;
    busy.value = false;
  }

  function plan(): void {
    clearTimeout(timer);
    if (!wanted.value || document.hidden || path() === null) return;
    const waitMs = waitAfter(everyS, failures) * 1000 - (performance.now() - askedAt);
    timer = setTimeout(() => void load(), Math.max(0, waitMs));
  }

  async function load(): Promise<void> {
    const asked = path();
    if (asked === null) return;
    stop();
    const own = new AbortController();
    running = own;
    busy.value = true;
    askedAt = performance.now();
    try {
      const answer = await ask<T>(asked, { signal: own.signal });
      if (running !== own) return;
      data.value = answer;
      problem.value = null;
      failures = 0;
    } catch (error) {
      if (running !== own || wasAborted(error)) return;
      problem.value = problemFrom(error);
      failures += 1;
    }
    running = null;
    busy.value = false;
    plan();
  }

  function restart(): void {
    stop();
    if (subject() !== held) data.value = null;
    held = subject();
    problem.value = null;
    failures = 0;
    askedAt = -Infinity;
    plan();
  }

  function onShown(): void {
    if (document.hidden) clearTimeout(timer);
    else if (!running) plan();
  }

  watch(path, restart, { immediate: true });
  watch(wanted, () => {
    if (!wanted.value) clearTimeout(timer);
    else if (!running) plan();
  });
  document.addEventListener('visibilitychange', onShown);
  onScopeDispose(() => {
    document.removeEventListener('visibilitychange', onShown);
    stop();
  });

  function refresh(): void {
    failures = 0;
    void load();
  }

  return { data, problem, busy, refresh };
}

/** ISO time of something that was `ageS` old when the answer was made. */
export function timeBefore(timestamp: string | null | undefined, ageS: number | null | undefined): string | null {
  if (!timestamp || ageS === null || ageS === undefined || !Number.isFinite(ageS)) return null;
  const ms = Date.parse(timestamp) - ageS * 1000;
  return Number.isFinite(ms) ? new Date(ms).toISOString() : null;
}
