/**
 * Keeps one WebSocket to the feed open: says hello, resumes, notices silence, comes back.
 * Knows nothing of the parts; the owner gets each message and each change of state.
 */
import type { LiveMessage } from '../types/live';
import { waitMs } from './backoff';

/** Nothing heard for so long: the connection is dead even if the browser has not noticed. */
export const SILENCE_MS = 12_000;

export type LinkState = 'off' | 'connecting' | 'live' | 'waiting' | 'refused';

export interface LinkStatus {
  state: LinkState;
  /** In words, for the reader; null while all is well. */
  reason: string | null;
  /** Failed tries since the last message. */
  failures: number;
}

export interface SocketLike {
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export interface SocketOptions {
  open: () => SocketLike;
  onMessage: (message: LiveMessage) => void;
  onStatus: (status: LinkStatus) => void;
  random?: () => number;
  now?: () => number;
}

type Timer = ReturnType<typeof setTimeout>;

export class FeedSocket {
  private socket: SocketLike | null = null;
  private retry: Timer | null = null;
  private silence: Timer | null = null;
  private failures = 0;
  private refusal: string | null = null;
  private place: { hub: string; seq: number } | null = null;
  private heardMs = 0;
  private status: LinkStatus = { state: 'off', reason: null, failures: 0 };

  constructor(private readonly options: SocketOptions) {}

  start(): void {
    if (this.status.state === 'off' || this.status.state === 'refused') this.connect();
  }

  stop(): void {
    this.drop();
    this.tell('off', null);
  }

  /** The machine woke up or the network is back: a dead connection is replaced at once, a live one is left alone. */
  wake(): void {
    const { state } = this.status;
    const silent = this.now() - this.heardMs > SILENCE_MS;
    if (state === 'waiting' || (state === 'live' && silent) || (state === 'connecting' && silent)) this.connect();
  }

  private now(): number {
    return (this.options.now ?? Date.now)();
  }

  private tell(state: LinkState, reason: string | null): void {
    this.status = { state, reason, failures: this.failures };
    this.options.onStatus(this.status);
  }

  private connect(): void {
    this.drop();
    this.refusal = null;
    this.tell('connecting', null);
    this.heardMs = this.now();
    const socket = this.options.open();
    this.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: 'hello', token: null, resume: this.place }));
    socket.onmessage = (event) => this.hear(event.data);
    socket.onclose = (event) => this.lost(event.code);
    this.listen();
  }

  private drop(): void {
    if (this.retry !== null) clearTimeout(this.retry);
    if (this.silence !== null) clearTimeout(this.silence);
    this.retry = this.silence = null;
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close(1000);
  }

  private listen(): void {
    if (this.silence !== null) clearTimeout(this.silence);
    this.silence = setTimeout(() => this.again('nothing heard for 12 s'), SILENCE_MS);
  }

  private hear(data: unknown): void {
    this.heardMs = this.now();
    this.listen();
    const message = JSON.parse(String(data)) as LiveMessage;
    if (message.type === 'error') {
      this.refusal = message.detail;
      if (message.code === 'unauthorized') this.refuse(message.detail);
      return;
    }
    this.place = { hub: message.hub, seq: message.seq };
    this.failures = 0;
    if (this.status.state !== 'live') this.tell('live', null);
    this.options.onMessage(message);
  }

  private refuse(reason: string): void {
    this.drop();
    this.tell('refused', reason);
  }

  private lost(code: number): void {
    const restarting = code === 1012 ? 'the service restarts' : 'the connection was lost';
    this.again(this.refusal ?? restarting);
  }

  private again(reason: string): void {
    this.drop();
    const wait = waitMs(this.failures, (this.options.random ?? Math.random)());
    this.failures += 1;
    this.tell('waiting', reason);
    this.retry = setTimeout(() => this.connect(), wait);
  }
}
