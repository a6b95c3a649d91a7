import { effectScope, nextTick, ref, type EffectScope } from 'vue';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { timeBefore, usePart, waitAfter, type Part } from './part';

it('waits longer after each failure, three minutes at most, never shorter than usual', () => {
  expect([0, 1, 2, 9].map((failures) => waitAfter(20, failures))).toEqual([20, 40, 80, 180]);
  expect(waitAfter(600, 3)).toBe(600);
});

it('turns an age into a time, and no age into none', () => {
  expect(timeBefore('2026-11-26T20:46:14.000Z', 14)).toBe('2026-11-26T20:46:00.000Z');
  expect(timeBefore('2026-11-26T20:46:14.000Z', null)).toBeNull();
  expect(timeBefore('soon', 3)).toBeNull();
});

describe('usePart', () => {
  const asked: { path: string; signal: AbortSignal }[] = [];
  const page = Object.assign(new EventTarget(), { hidden: false });
  const path = ref('/a');
  const coin = ref('BTC');
  const wanted = ref(true);
  let answer: () => Response;
  let scope: EffectScope;
  let part: Part<{ n: number }>;

  async function pass(seconds: number): Promise<void> {
    await nextTick();
    await vi.advanceTimersByTimeAsync(seconds * 1000);
  }

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('document', page);
    vi.stubGlobal('fetch', (to: string, options: RequestInit) => {
      asked.push({ path: to, signal: options.signal as AbortSignal });
      return Promise.resolve(answer());
    });
    asked.length = 0;
    page.hidden = false;
    path.value = '/a';
    coin.value = 'BTC';
    wanted.value = true;
    answer = () => Response.json({ n: asked.length });
    scope = effectScope();
    part = scope.run(() => usePart<{ n: number }>(() => path.value, 20, wanted, () => coin.value))!;
  });

  afterEach(() => {
    scope.stop();
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it('asks at once and again after its time', async () => {
    await pass(0);
    expect(part.data.value).toEqual({ n: 1 });
    await pass(19);
    expect(asked).toHaveLength(1);
    await pass(1);
    expect(asked).toHaveLength(2);
  });

  it('keeps what it had when a try fails, says so, and waits longer', async () => {
    await pass(0);
    answer = () => Response.json({ detail: 'down for a moment', code: 'unavailable' }, { status: 503 });
    await pass(20);
    expect(part.data.value).toEqual({ n: 1 });
    expect(part.problem.value?.detail).toBe('down for a moment');
    await pass(39);
    expect(asked).toHaveLength(2);
    answer = () => Response.json({ n: 7 });
    await pass(1);
    expect([part.data.value, part.problem.value]).toEqual([{ n: 7 }, null]);
  });

  it('keeps the picture of the same coin until another one comes, and never shows another coin’s', async () => {
    await pass(0);
    path.value = '/a?timeframe=4h';
    await nextTick();
    expect(part.data.value).toEqual({ n: 1 });
    await pass(0);
    expect(part.data.value).toEqual({ n: 2 });
    [path.value, coin.value] = ['/b', 'ETH'];
    await nextTick();
    expect(part.data.value).toBeNull();
    await pass(0);
    expect(asked.map((one) => one.path)).toEqual(['/a', '/a?timeframe=4h', '/b']);
  });

  it('asks nothing while it is not wanted or the tab is hidden, and at once when it was due meanwhile', async () => {
    await pass(0);
    wanted.value = false;
    await pass(100);
    expect(asked).toHaveLength(1);
    page.hidden = true;
    wanted.value = true;
    await pass(100);
    expect(asked).toHaveLength(1);
    page.hidden = false;
    page.dispatchEvent(new Event('visibilitychange'));
    await pass(0);
    expect(asked).toHaveLength(2);
  });

  it('gives up what is under way and asks no more when the page is left', async () => {
    await pass(0);
    const never = new Promise<Response>(() => undefined);
    vi.stubGlobal('fetch', (to: string, options: RequestInit) => {
      asked.push({ path: to, signal: options.signal as AbortSignal });
      return never;
    });
    await pass(20);
    expect(asked[1]?.signal.aborted).toBe(false);
    scope.stop();
    expect(asked[1]?.signal.aborted).toBe(true);
    await pass(500);
    expect(asked).toHaveLength(2);
  });
});
