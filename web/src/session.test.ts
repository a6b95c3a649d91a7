import { afterEach, describe, expect, it, vi } from 'vitest';

import { loadSession, thresholdOf } from './session';

const THRESHOLDS = { conservative: { long: 80, short: 20 }, balanced: { long: 62, short: 33 }, aggressive: { long: 55, short: 45 } };

function answerWith(status: number, body: object): void {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } })));
}

afterEach(() => vi.unstubAllGlobals());

describe('thresholds of the signals', () => {
  it('are not known before the service has told them', () => {
    expect(thresholdOf('balanced')).toBeNull();
  });

  it('are those of the service, mode by mode', async () => {
    answerWith(200, { signedIn: true, thresholds: THRESHOLDS });
    await loadSession();
    expect(thresholdOf('balanced')).toEqual({ long: 62, short: 33 });
    expect(thresholdOf('aggressive')).toEqual({ long: 55, short: 45 });
  });

  it.each([
    ['a stranger', 200, { signedIn: false, loginRequired: true, thresholds: null }],
    ['an older service', 200, { signedIn: true }],
    ['a service without sessions', 404, { status: 404 }],
  ])('are unknown to %s', async (_, status, body) => {
    answerWith(status, body);
    await loadSession();
    expect(thresholdOf('balanced')).toBeNull();
  });
});
