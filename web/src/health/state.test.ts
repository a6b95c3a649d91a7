import { describe, expect, it } from 'vitest';

import { stateLook } from './state';

describe('stateLook', () => {
  it.each([
    ['ok', 'good'],
    ['live', 'good'],
    ['not_configured', ''],
    ['standby', ''],
    ['half_open', 'warn'],
    ['down', 'bad'],
    ['a_new_state', 'bad'],
  ])('shows %s as "%s"', (state, tone) => {
    expect(stateLook(state).tone).toBe(tone);
  });

  it('writes the state as words', () => {
    expect(stateLook('not_configured').text).toBe('not configured');
  });
});
