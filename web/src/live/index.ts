/** The live feed of the page: one connection, its state, and the parts it fills. See store for the parts. */
import { computed, readonly, shallowRef } from 'vue';

import { loadSession, session } from '../session';
import type { DataMode, LiveMessage } from '../types/live';
import { noteFeedTime } from './clock';
import { Polling } from './polling';
import { FeedSocket, type LinkStatus } from './socket';
import { takeParts } from './store';

export { ageOf, marketNow, marketSpeed, noteAnswerTime, useNow } from './clock';
export { alerts, cardOf, cascades, coins, faults, market, quoteOf, signals, stream, top } from './store';

/** Failed tries after which the page asks by HTTP in the meantime. */
const PATIENCE = 4;

const status = shallowRef<LinkStatus>({ state: 'off', reason: null, failures: 0 });
const feedMode = shallowRef<DataMode | null>(null);
const polls = shallowRef(false);

/** State of the connection: live, connecting, waiting to try again, refused, off. */
export const link = readonly(status);
/** True while the page lives on what it asks by HTTP because the feed is not there. */
export const polling = readonly(polls);
/** Whether the numbers are real, invented (demo) or recorded (replay); null until known. */
export const dataMode = computed<DataMode | null>(() => feedMode.value ?? session.value?.dataMode ?? null);

function hear(message: LiveMessage): void {
  if (message.type === 'error') return;
  noteFeedTime(message.serverTime, message.type === 'snapshot' ? message.speed : undefined);
  if (message.type === 'beat') return;
  if (message.type === 'snapshot') feedMode.value = message.dataMode;
  takeParts(message, message.type === 'snapshot');
}

const fallback = new Polling((parts) => {
  polls.value = Object.keys(parts).length > 0;
  takeParts(parts, false);
});

function pollWhile(needed: boolean): void {
  if (needed) {
    fallback.start();
    return;
  }
  fallback.stop();
  polls.value = false;
}

function noteStatus(next: LinkStatus): void {
  status.value = next;
  // A refusal means that the session ended: the answer decides whether the sign-in page shows.
  if (next.state === 'refused') void loadSession();
  pollWhile(next.state !== 'live' && next.state !== 'off' && next.state !== 'refused' && next.failures >= PATIENCE);
}

function open(): WebSocket {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return new WebSocket(`${scheme}//${location.host}/ws`);
}

const socket = new FeedSocket({ open, onMessage: hear, onStatus: noteStatus });

/** Starts the feed once the reader may read; where the service says the feed cannot be opened, asks by HTTP instead. */
export function startLive(): void {
  const known = session.value;
  if (known && !known.live) {
    status.value = { state: 'waiting', reason: known.liveReason, failures: 0 };
    pollWhile(true);
    return;
  }
  socket.start();
}

export function stopLive(): void {
  socket.stop();
  pollWhile(false);
}

window.addEventListener('online', () => socket.wake());
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) socket.wake();
});
