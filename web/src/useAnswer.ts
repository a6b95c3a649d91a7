/**
 * One answer of the HTTP API kept fresh: asked at once, again every so often while the page is seen, and when its path changes.
 * A failure keeps the last answer (with its age) and says why no newer one came.
 */
import { onScopeDispose, shallowRef, toValue, watch, type MaybeRefOrGetter, type ShallowRef } from 'vue';

import { ask, problemFrom, wasAborted } from './api';
import { noteAnswerTime } from './live/clock';
import type { Problem } from './types/http';

export interface Answer<T> {
  data: ShallowRef<T | null>;
  problem: ShallowRef<Problem | null>;
  /** True while nothing has come yet for this path. */
  loading: ShallowRef<boolean>;
  reload: () => void;
}

/** `path` null: ask nothing. `everyMs` null: ask once. Call in a component's setup. */
export function useAnswer<T>(path: MaybeRefOrGetter<string | null>, everyMs: number | null = 30_000): Answer<T> {
  const data = shallowRef<T | null>(null);
  const problem = shallowRef<Problem | null>(null);
  const loading = shallowRef(true);
  let timer: ReturnType<typeof setTimeout> | null = null;
  let running: AbortController | null = null;

  function later(): void {
    if (everyMs !== null) timer = setTimeout(() => (document.hidden ? later() : void load()), everyMs);
  }

  function stop(): void {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    running?.abort();
    running = null;
  }

  async function load(): Promise<void> {
    stop();
    const where = toValue(path);
    if (where === null) return;
    const mine = new AbortController();
    running = mine;
    try {
      const answer = await ask<T>(where, { signal: mine.signal });
      const stamp = (answer as { timestamp?: unknown }).timestamp;
      if (typeof stamp === 'string') noteAnswerTime(stamp);
      data.value = answer;
      problem.value = null;
    } catch (error) {
      if (wasAborted(error)) return;
      problem.value = problemFrom(error);
    }
    loading.value = false;
    later();
  }

  watch(
    () => toValue(path),
    () => {
      data.value = null;
      problem.value = null;
      loading.value = true;
      void load();
    },
    { immediate: true },
  );
  onScopeDispose(stop);
  return { data, problem, loading, reload: () => void load() };
}
