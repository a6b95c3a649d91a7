import { expect, it } from 'vitest';

import { mixed, translucent } from './palette';

it('gives a hex colour an opacity and leaves other spellings alone', () => {
  expect(translucent('#ff8a66', 0.5)).toBe('rgba(255, 138, 102, 0.5)');
  expect(translucent('rgba(1, 2, 3, 0.1)', 0.5)).toBe('rgba(1, 2, 3, 0.1)');
});

it('mixes two colours by share', () => {
  expect(mixed('#ffffff', '#000000', 0.25)).toBe('rgb(64, 64, 64)');
  expect(mixed('#ff8a66', '#141b23', 1)).toBe('rgb(255, 138, 102)');
});
