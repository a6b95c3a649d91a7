/** Who is signed in, what they may do, and what the service says of itself (data mode, version, live or not). */
import { computed, shallowRef } from 'vue';

import { ApiError, ask, onSignedOut, problemFrom } from './api';
import type { Mode, Problem, SessionAnswer, Threshold } from './types/http';

const answer = shallowRef<SessionAnswer | null>(null);
const problem = shallowRef<Problem | null>(null);

/** Null until the first answer. */
export const session = computed(() => answer.value);
/** Why the service could not be asked at all; null once it answered. */
export const sessionProblem = computed(() => problem.value);
export const mustSignIn = computed(() => answer.value !== null && answer.value.loginRequired && !answer.value.signedIn);
export const isAdmin = computed(() => answer.value?.scopes.includes('admin') ?? false);

/** Where the service says LONG and SHORT in this mode; null until it has told, so that no page marks a place of its own. */
export function thresholdOf(mode: Mode): Threshold | null {
  return answer.value?.thresholds?.[mode] ?? null;
}

/** An older service without sessions: everything is open, as it was. */
const OPEN: SessionAnswer = {
  signedIn: true,
  loginRequired: false,
  name: null,
  scopes: ['read', 'debug', 'admin'],
  dataMode: 'live',
  version: '',
  live: true,
  liveReason: null,
  thresholds: null,
};

export async function loadSession(): Promise<void> {
  try {
    answer.value = await ask<SessionAnswer>('/api/session');
    problem.value = null;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) answer.value = OPEN;
    else problem.value = problemFrom(error);
  }
}

/** Opens a session with the dashboard token or an API key. Throws ApiError when it is refused. */
export async function signIn(token: string): Promise<void> {
  answer.value = await ask<SessionAnswer>('/api/session', { method: 'POST', body: { token } });
}

export async function signOut(): Promise<void> {
  answer.value = await ask<SessionAnswer>('/api/session', { method: 'DELETE' });
}

onSignedOut(() => {
  const known = answer.value;
  if (known) answer.value = { ...known, signedIn: false, loginRequired: true, scopes: [], name: null };
});
