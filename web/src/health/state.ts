/** How a state of a provider, dependency or link reads. Pure: a word, a mark and a tone, so that colour is never alone. */
import { words } from '../format';

export interface StateLook {
  text: string;
  mark: string;
  tone: 'good' | 'warn' | 'bad' | '';
}

const GOOD = new Set(['ok', 'live', 'closed', 'running']);
const IDLE = new Set(['unused', 'not_configured', 'standby', 'off', 'no_events']);
const WAITING = new Set(['starting', 'connecting', 'stale', 'degraded', 'half_open', 'waiting', 'silent', 'warn']);

export function stateLook(state: string): StateLook {
  const text = words(state);
  if (GOOD.has(state)) return { text, mark: '●', tone: 'good' };
  if (IDLE.has(state)) return { text, mark: '○', tone: '' };
  if (WAITING.has(state)) return { text, mark: '◐', tone: 'warn' };
  return { text, mark: '!', tone: 'bad' };
}
