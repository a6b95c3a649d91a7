/**
 * The heatmap's grid for a chart: every row between the lowest and the highest (the answer leaves empty ones
 * out), every cell with a side and a strength on one scale. Pure.
 */
import type { HeatmapGrid } from '../coin/answers';

export interface HeatRow {
  lowUsd: number;
  highUsd: number;
}

export interface HeatCell {
  column: number;
  row: number;
  longUsd: number;
  shortUsd: number;
  /** Negative: more longs were liquidated; positive: more shorts. Its size is log10 of the USD, from 0. */
  value: number;
}

export interface HeatChart {
  columns: string[];
  rows: HeatRow[];
  cells: HeatCell[];
  /** Largest size of a value; 0 without cells. */
  most: number;
  /** Columns left off at the left because nothing is stored before them. */
  skipped: number;
}

/** Below this a cell is as faint as can be. */
export const FLOOR_USD = 100;
const MOST_ROWS = 600;
const FEWEST_COLUMNS = 24;

/**
 * Strength of a cell with the sign of its larger side: log10(1 + total / 100). Swapping longs and shorts swaps
 * the sign and nothing else; as much of both is 0.
 */
export function signedStrength(longUsd: number, shortUsd: number): number {
  const size = Math.log10(1 + (longUsd + shortUsd) / FLOOR_USD);
  if (longUsd === shortUsd) return 0;
  return longUsd > shortUsd ? -size : size;
}

/** The grid as rows without gaps; columns before the first liquidation are cut to a short lead. */
export function heatChart(grid: HeatmapGrid): HeatChart {
  const { rows, indexOf } = filledRows(grid);
  const skipped = leadingColumns(grid);
  const cells: HeatCell[] = [];
  for (const cell of grid.cells) {
    const row = indexOf[cell.row];
    const column = cell.column - skipped;
    if (row === undefined || column < 0 || column >= grid.columns.length - skipped) continue;
    const value = signedStrength(cell.longUsd, cell.shortUsd);
    cells.push({ column, row, longUsd: cell.longUsd, shortUsd: cell.shortUsd, value });
  }
  const most = cells.reduce((largest, cell) => Math.max(largest, Math.abs(cell.value)), 0);
  return { columns: grid.columns.slice(skipped), rows, cells, most, skipped };
}

/**
 * Where a price lies among the rows, in rows from the bottom (0.5 = middle of the lowest), or null when it is
 * outside of them.
 */
export function rowPosition(rows: readonly HeatRow[], price: number): number | null {
  const index = rows.findIndex((row) => price >= row.lowUsd && price < row.highUsd);
  const row = rows[index];
  if (!row) return null;
  return index + (price - row.lowUsd) / (row.highUsd - row.lowUsd);
}

/** Adds empty rows above and below until `prices` lie inside, as long as there is room. */
export function rowsAround(rows: readonly HeatRow[], rowFrac: number, prices: readonly number[]): { rows: HeatRow[]; below: number } {
  const wide = [...rows];
  const first = wide[0];
  if (!first || !(rowFrac > 0)) return { rows: wide, below: 0 };
  const known = prices.filter((price) => Number.isFinite(price) && price > 0);
  const lowest = Math.min(...known, Infinity);
  const highest = Math.max(...known, -Infinity);
  let below = 0;
  for (let low = first.lowUsd; low > lowest && wide.length < MOST_ROWS; below += 1) {
    const next = low / (1 + rowFrac);
    wide.unshift({ lowUsd: next, highUsd: low });
    low = next;
  }
  for (let last = wide[wide.length - 1]; last && last.highUsd <= highest && wide.length < MOST_ROWS; last = wide[wide.length - 1]) {
    wide.push({ lowUsd: last.highUsd, highUsd: last.highUsd * (1 + rowFrac) });
  }
  return { rows: wide, below };
}

function filledRows(grid: HeatmapGrid): { rows: HeatRow[]; indexOf: number[] } {
  const rows: HeatRow[] = [];
  const indexOf: number[] = [];
  const step = Math.log(1 + grid.rowFrac);
  for (const row of grid.rows) {
    const previous = rows[rows.length - 1];
    if (previous && step > 0) {
      const gaps = Math.min(Math.round(Math.log(row.lowUsd / previous.highUsd) / step), MOST_ROWS - rows.length);
      const factor = gaps > 0 ? (row.lowUsd / previous.highUsd) ** (1 / gaps) : 1;
      for (let n = 0, low = previous.highUsd; n < gaps; n += 1, low *= factor) {
        rows.push({ lowUsd: low, highUsd: low * factor });
      }
    }
    indexOf.push(rows.length);
    rows.push({ lowUsd: row.lowUsd, highUsd: row.highUsd });
  }
  return { rows, indexOf };
}

function leadingColumns(grid: HeatmapGrid): number {
  const first = grid.cells.reduce((least, cell) => Math.min(least, cell.column), grid.columns.length);
  const spare = Math.min(first - 2, grid.columns.length - FEWEST_COLUMNS);
  // A short lead of emptiness is part of the picture; most of a day of it only makes the rest too small to see.
  return spare > grid.columns.length / 4 ? Math.max(0, spare) : 0;
}
