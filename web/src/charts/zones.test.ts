import { describe, expect, it } from 'vitest';

import type { Cluster, Zone } from '../coin/answers';
import { clusterBars, labelLeft, takePlace, zoneBoxes, type PaneScale } from './zones';

// 10 s and 1 USD are a pixel: x grows with time from 0, y falls with price from 400 USD at the top.
const pane: PaneScale = { width: 500, height: 300, xOf: (s) => s / 10, yOf: (price) => 400 - price };
const openOf = (iso: string) => Number(iso);
const zone = (change: Partial<Zone> = {}): Zone => ({
  kind: 'order_block',
  direction: 'bullish',
  label: 'bullish order block',
  top: 300,
  bottom: 250,
  state: 'untouched',
  formedAt: '1000',
  knownAt: '1500',
  liquidationConfluence: false,
  liquidationVolume: null,
  confluenceScore: null,
  ...change,
});
const cluster = (change: Partial<Cluster> = {}): Cluster => ({
  price: 255,
  low: 250,
  high: 260,
  near: 260,
  volume: 100,
  side: 'LONG',
  strength: 100,
  magnet: 10,
  distanceAtr: -1,
  ...change,
});

describe('zoneBoxes', () => {
  it('reaches from the candle it formed on to the right edge', () => {
    const [box] = zoneBoxes([zone()], openOf, pane);
    expect(box).toMatchObject({ left: 100, known: 150, right: 500, top: 100, bottom: 150, isLine: false });
  });

  it('starts at the left edge when it is older than the chart', () => {
    expect(zoneBoxes([zone({ formedAt: '-50', knownAt: '-10' })], openOf, pane)[0]).toMatchObject({ left: 0, known: 0 });
  });

  it('is a line when it has one price', () => {
    expect(zoneBoxes([zone({ bottom: 300 })], openOf, pane)[0]?.isLine).toBe(true);
  });

  it('leaves out zones that ended, lie outside or have no place', () => {
    const gone = [zone({ state: 'ended' }), zone({ top: 900, bottom: 850 }), zone({ formedAt: '9000', knownAt: '9000' })];
    expect(zoneBoxes(gone, openOf, pane)).toEqual([]);
    expect(zoneBoxes([zone()], openOf, { ...pane, yOf: () => null })).toEqual([]);
  });
});

describe('clusterBars', () => {
  it('is as long as the share of the largest volume, from the right edge', () => {
    const bars = clusterBars([cluster(), cluster({ volume: 25, low: 300, high: 310 })], pane, 80);
    expect(bars.map((bar) => [bar.left, bar.right, bar.top, bar.bottom])).toEqual([
      [420, 500, 140, 150],
      [480, 500, 90, 100],
    ]);
  });

  it('stays visible when it is thin, and is nothing without volume', () => {
    const [bar] = clusterBars([cluster({ low: 255, high: 255 })], pane, 80);
    expect((bar?.bottom ?? 0) - (bar?.top ?? 0)).toBe(3);
    expect(clusterBars([cluster({ volume: 0 })], pane, 80)).toEqual([]);
  });
});

describe('labels', () => {
  const at = (left: number, top: number) => ({ left, right: left + 100, top, bottom: top + 14 });

  it('stand in the box, and left of the clusters when the box begins late', () => {
    const [early, late] = zoneBoxes([zone(), zone({ formedAt: '4500', knownAt: '4500' })], openOf, pane);
    expect(labelLeft(early!, 120, pane, 80)).toBe(106);
    expect(labelLeft(late!, 120, pane, 80)).toBe(300);
    expect(labelLeft(late!, 900, pane, 80)).toBe(6);
  });

  it('do not cover each other', () => {
    const taken = [at(0, 50)];
    expect(takePlace(at(40, 60), taken)).toBe(false);
    expect(takePlace(at(120, 60), taken)).toBe(true);
    expect(takePlace(at(0, 64), taken)).toBe(true);
    expect(taken).toHaveLength(3);
  });
});
