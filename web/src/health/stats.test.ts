import { describe, expect, it } from 'vitest';

import { statFacts } from './stats';

describe('statFacts', () => {
  it('names plain numbers, groups and counted lists', () => {
    const facts = statFacts({
      timestamp: '2026-01-01T00:00:00Z',
      coinsOn: 7,
      alerts: { kept: 1234, oldestAgeS: 90 },
      dropped: [{ name: 'low_confidence', count: 3 }],
      absent: null,
    });
    expect(facts).toEqual([
      { name: 'Coins on', value: '7' },
      { name: 'Alerts: kept', value: '1,234' },
      { name: 'Alerts: oldest age', value: '2 min' },
      { name: 'Dropped: low confidence', value: '3' },
    ]);
  });
});
