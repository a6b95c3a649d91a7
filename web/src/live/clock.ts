/**
 * Market time in the page. The service says what time it is with every message; between messages it goes on
 * at the service's speed (a replay may run faster than the wall clock), so ages never depend on this machine's clock.
 */
import { onScopeDispose, readonly, shallowRef } from 'vue';

let baseMs = Date.now();
let takenMs = performance.now();
const speed = shallowRef(1);
/** How much faster than the wall clock market time runs; 1 unless a recording is played. */
export const marketSpeed = readonly(speed);
let fromFeed = false;

/** Market time now, in milliseconds since 1970. Not reactive: see useNow. */
export function marketNow(): number {
  return baseMs + (performance.now() - takenMs) * speed.value;
}

function set(ms: number): void {
  baseMs = ms;
  takenMs = performance.now();
}

export function noteFeedTime(iso: string, newSpeed?: number): void {
  const ms = Date.parse(iso);
  if (!Number.isFinite(ms)) return;
  if (newSpeed !== undefined && newSpeed > 0) speed.value = newSpeed;
  fromFeed = true;
  set(ms);
}

/** The time an HTTP answer was made at; used until the feed says better. */
export function noteAnswerTime(iso: string): void {
  const ms = Date.parse(iso);
  if (!fromFeed && Number.isFinite(ms)) set(ms);
}

const tick = shallowRef(marketNow());
let users = 0;
let timer: ReturnType<typeof setInterval> | null = null;

/** Market time that changes once a second, for ages; one timer for the whole page. Call in a component's setup. */
export function useNow() {
  users += 1;
  tick.value = marketNow();
  timer ??= setInterval(() => (tick.value = marketNow()), 1000);
  onScopeDispose(() => {
    users -= 1;
    if (users === 0 && timer !== null) {
      clearInterval(timer);
      timer = null;
    }
  });
  return readonly(tick);
}

/** Seconds between a time and `nowMs`; null when there is no time. */
export function ageOf(iso: string | null | undefined, nowMs: number): number | null {
  const ms = iso ? Date.parse(iso) : Number.NaN;
  return Number.isFinite(ms) ? (nowMs - ms) / 1000 : null;
}
