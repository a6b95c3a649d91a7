import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { LiveMessage } from '../types/live';
import { LONGEST_MS, waitMs } from './backoff';
import { FeedSocket, SILENCE_MS, type LinkStatus, type SocketLike } from './socket';

class Wire implements SocketLike {
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  sent: unknown[] = [];
  closed = false;
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  close(): void {
    this.closed = true;
  }
  open(): void {
    this.onopen?.({} as Event);
  }
  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) } as MessageEvent);
  }
  end(code: number): void {
    this.onclose?.({ code } as CloseEvent);
  }
}

const beat = (seq: number) => ({ type: 'beat', hub: 'h', seq, serverTime: '2026-01-01T00:00:00Z' });

let wires: Wire[];
let statuses: LinkStatus[];
let heard: LiveMessage[];
let socket: FeedSocket;

const wire = (): Wire => wires.at(-1) as Wire;
const state = (): string | undefined => statuses.at(-1)?.state;

beforeEach(() => {
  vi.useFakeTimers();
  wires = [];
  statuses = [];
  heard = [];
  socket = new FeedSocket({
    open: () => {
      wires.push(new Wire());
      return wire();
    },
    onMessage: (message) => heard.push(message),
    onStatus: (status) => statuses.push(status),
    random: () => 0.5,
  });
});

afterEach(() => {
  socket.stop();
  vi.useRealTimers();
});

describe('FeedSocket', () => {
  it('says hello, hears, and is live', () => {
    socket.start();
    wire().open();
    expect(wire().sent).toEqual([{ type: 'hello', token: null, resume: null }]);
    wire().say(beat(3));
    expect(state()).toBe('live');
    expect(heard).toHaveLength(1);
  });

  it('comes back where it was after the service restarted', () => {
    socket.start();
    wire().open();
    wire().say(beat(41));
    wire().end(1012);
    expect(statuses.at(-1)).toMatchObject({ state: 'waiting', reason: 'the service restarts' });
    vi.advanceTimersByTime(1000);
    wire().open();
    expect(wires).toHaveLength(2);
    expect(wire().sent).toEqual([{ type: 'hello', token: null, resume: { hub: 'h', seq: 41 } }]);
  });

  it('takes silence for death', () => {
    socket.start();
    wire().open();
    wire().say(beat(1));
    const first = wire();
    vi.advanceTimersByTime(SILENCE_MS - 1);
    expect(state()).toBe('live');
    vi.advanceTimersByTime(1);
    expect(first.closed).toBe(true);
    expect(state()).toBe('waiting');
  });

  it('does not try again where it is not authorised, until it is started anew', () => {
    socket.start();
    wire().say({ type: 'error', code: 'unauthorized', detail: 'sign in' });
    wire().end(1008);
    vi.advanceTimersByTime(10 * LONGEST_MS);
    expect(statuses.at(-1)).toMatchObject({ state: 'refused', reason: 'sign in' });
    expect(wires).toHaveLength(1);
    socket.start();
    expect(wires).toHaveLength(2);
  });

  it('says why a full service closed it, and tries again', () => {
    socket.start();
    wire().say({ type: 'error', code: 'too_many_clients', detail: '200 are connected' });
    wire().end(1013);
    expect(statuses.at(-1)).toMatchObject({ state: 'waiting', reason: '200 are connected' });
    vi.advanceTimersByTime(1000);
    expect(wires).toHaveLength(2);
  });

  it('tries at once when the machine wakes, and leaves a live connection alone', () => {
    socket.start();
    wire().end(1006);
    socket.wake();
    expect(wires).toHaveLength(2);
    wire().open();
    wire().say(beat(1));
    socket.wake();
    expect(wires).toHaveLength(2);
  });

  it('hears nothing more after it was stopped', () => {
    socket.start();
    const first = wire();
    socket.stop();
    first.say(beat(1));
    vi.advanceTimersByTime(10 * LONGEST_MS);
    expect(heard).toHaveLength(0);
    expect(wires).toHaveLength(1);
    expect(state()).toBe('off');
  });
});

describe('waitMs', () => {
  it('grows, is jittered from zero, and is capped', () => {
    expect(waitMs(0, 0)).toBe(0);
    expect(waitMs(0, 0.999)).toBeLessThanOrEqual(500);
    expect(waitMs(3, 0.5)).toBe(2000);
    expect(waitMs(500, 0.9999)).toBeLessThanOrEqual(LONGEST_MS);
  });
});
