import { createSSRApp } from 'vue';
import { renderToString } from 'vue/server-renderer';
import { describe, expect, it } from 'vitest';

import SignalGauge from './SignalGauge.vue';

const draw = (props: object): Promise<string> => renderToString(createSSRApp(SignalGauge, { score: 66, ...props }));

describe('a gauge', () => {
  it('has its marks where the service says LONG and SHORT', async () => {
    const html = await draw({ side: 'LONG', marks: { long: 62.5, short: 21 } });
    expect(html.match(/class="mark threshold"[^>]*left:\s*[\d.]+%/g)?.map((mark) => mark.replace(/.*left:\s*/, ''))).toEqual(['21%', '62.5%']);
    expect(html).toContain('short up to 21, long from 62.5');
  });

  it('marks no place that the service did not tell', async () => {
    for (const marks of [null, undefined]) {
      const html = await draw({ side: 'LONG', marks });
      expect(html).not.toContain('threshold');
      expect(html).not.toContain('zone');
      expect(html).not.toMatch(/up to|from/);
      expect(html).toContain('Signal score 66');
    }
  });

  it.each([
    ['LONG', 'bull'],
    ['SHORT', 'bear'],
    ['NEUTRAL', 'neutral'],
    [null, 'neutral'],
  ])('that says %s has the colour %s, wherever the score stands', async (side, tone) => {
    const html = await draw({ side, marks: { long: 60, short: 40 } });
    expect(html).toMatch(new RegExp(`class="(bar ${tone}|${tone} bar)"`));
  });
});
