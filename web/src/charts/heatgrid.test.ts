import { describe, expect, it } from 'vitest';

import type { HeatmapGrid } from '../coin/answers';
import { heatChart, rowPosition, rowsAround, signedStrength } from './heatgrid';

const FRAC = 0.01;
const row = (n: number) => ({ lowUsd: 100 * 1.01 ** n, highUsd: 100 * 1.01 ** (n + 1), longUsd: 0, shortUsd: 0 });
const columns = (count: number) => Array.from({ length: count }, (_, n) => new Date(n * 300_000).toISOString());
const grid = (change: Partial<HeatmapGrid> = {}): HeatmapGrid => ({
  columnMinutes: 5,
  rowFrac: FRAC,
  coarser: false,
  columns: columns(30),
  rows: [row(0), row(3)],
  cells: [
    { column: 0, row: 0, longUsd: 9900, shortUsd: 0 },
    { column: 4, row: 1, longUsd: 100, shortUsd: 800 },
  ],
  cutCells: 0,
  cutUsd: 0,
  ...change,
});

describe('heatChart', () => {
  it('fills the rows that were left out, so that height is price', () => {
    const chart = heatChart(grid());
    expect(chart.rows).toHaveLength(4);
    chart.rows.slice(1).forEach((next, n) => expect(next.lowUsd).toBeCloseTo(chart.rows[n]?.highUsd ?? 0, 6));
    expect(chart.cells.map((cell) => cell.row)).toEqual([0, 3]);
  });

  it('gives longs a negative and shorts a positive value, as large as the logarithm of the sum', () => {
    const chart = heatChart(grid());
    expect(chart.cells.map((cell) => cell.value)).toEqual([-2, 1]);
    expect(chart.most).toBe(2);
  });

  it('mirrors: longs and shorts swapped swap the sign and nothing else', () => {
    const swapped = grid();
    swapped.cells = swapped.cells.map((cell) => ({ ...cell, longUsd: cell.shortUsd, shortUsd: cell.longUsd }));
    const values = heatChart(grid()).cells.map((cell) => cell.value);
    expect(heatChart(swapped).cells.map((cell) => -cell.value)).toEqual(values);
    expect(signedStrength(5, 5)).toBe(0);
  });

  it('cuts most of a long emptiness before the first liquidation, but never below 24 columns', () => {
    const late = grid({ columns: columns(288), cells: [{ column: 287, row: 0, longUsd: 5, shortUsd: 0 }] });
    const chart = heatChart(late);
    expect([chart.columns.length, chart.skipped, chart.cells[0]?.column]).toEqual([24, 264, 23]);
    expect(heatChart(grid()).skipped).toBe(0);
  });

  it('has nothing to show of a grid without cells', () => {
    expect(heatChart(grid({ rows: [], cells: [] }))).toMatchObject({ rows: [], cells: [], most: 0 });
  });
});

describe('rows', () => {
  it('says where a price lies between the lowest and the highest', () => {
    const rows = [{ lowUsd: 10, highUsd: 20 }, { lowUsd: 20, highUsd: 40 }];
    expect(rowPosition(rows, 15)).toBe(0.5);
    expect(rowPosition(rows, 30)).toBe(1.5);
    expect(rowPosition(rows, 40)).toBeNull();
  });

  it('grows until prices lie inside and says how many came below', () => {
    const { rows, below } = rowsAround([{ lowUsd: 100, highUsd: 101 }], FRAC, [97.5, 103]);
    expect(below).toBe(3);
    expect(rowPosition(rows, 97.5)).not.toBeNull();
    expect(rowPosition(rows, 103)).not.toBeNull();
    expect(rowPosition(rows, 100.5)).toBeCloseTo(3.5, 6);
  });
});
