/**
 * Where zones, clusters and levels lie on a pane. Pure geometry in CSS pixels: the caller hands in how times and
 * prices become coordinates. Drawing is done elsewhere (`overlay.ts`).
 */
import type { Cluster, Zone, ZoneState } from '../coin/answers';

export interface PaneScale {
  /** x of the left edge of the bar that holds this moment (seconds), or null before there is data. */
  xOf: (seconds: number) => number | null;
  /** y of a price, or null when the scale has none. */
  yOf: (price: number) => number | null;
  width: number;
  height: number;
}

export interface ZoneBox {
  zone: Zone;
  left: number;
  /** x from which the zone could be known; between left and this it is drawn fainter. */
  known: number;
  right: number;
  top: number;
  bottom: number;
  /** A zone of one price, or thinner than two pixels: a line. */
  isLine: boolean;
}

export interface ClusterBar {
  cluster: Cluster;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** The place of a label. */
export interface Place {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const THIN_PX = 2;
const LEAST_BAR_PX = 3;
const LABEL_GAP_PX = 6;

/** Boxes of the zones that can be seen, from their candle to the right edge. Ended zones are left out. */
export function zoneBoxes(zones: readonly Zone[], openOf: (iso: string) => number | null, pane: PaneScale): ZoneBox[] {
  const boxes: ZoneBox[] = [];
  for (const zone of zones) {
    if (zone.state === 'ended') continue;
    const formed = openOf(zone.formedAt);
    const y1 = pane.yOf(zone.top);
    const y2 = pane.yOf(zone.bottom);
    if (formed === null || y1 === null || y2 === null) continue;
    const top = Math.min(y1, y2);
    const bottom = Math.max(y1, y2);
    if (bottom < 0 || top > pane.height) continue;
    const left = Math.max(0, pane.xOf(formed) ?? 0);
    const knownAt = openOf(zone.knownAt);
    const known = Math.max(left, (knownAt === null ? null : pane.xOf(knownAt)) ?? left);
    if (left >= pane.width) continue;
    const isLine = bottom - top < THIN_PX;
    boxes.push({ zone, left, known: Math.min(known, pane.width), right: pane.width, top, bottom, isLine });
  }
  return boxes;
}

/** Bars at the right margin, as long as their share of the largest volume; `most` is the longest one's length. */
export function clusterBars(clusters: readonly Cluster[], pane: PaneScale, most: number): ClusterBar[] {
  const largest = Math.max(0, ...clusters.map((cluster) => cluster.volume));
  if (largest <= 0) return [];
  const bars: ClusterBar[] = [];
  for (const cluster of clusters) {
    const y1 = pane.yOf(cluster.high);
    const y2 = pane.yOf(cluster.low);
    if (y1 === null || y2 === null) continue;
    const middle = (y1 + y2) / 2;
    const half = Math.max(Math.abs(y2 - y1), LEAST_BAR_PX) / 2;
    const top = middle - half;
    const bottom = middle + half;
    if (bottom < 0 || top > pane.height) continue;
    const length = Math.max(LEAST_BAR_PX, (cluster.volume / largest) * most);
    bars.push({ cluster, left: pane.width - length, right: pane.width, top, bottom });
  }
  return bars;
}

/** How strongly a zone shows: the less it has been used, the more. */
export function strengthOf(state: ZoneState): number {
  return { untouched: 1, touched: 0.7, half_filled: 0.45, ended: 0 }[state] ?? 0.5;
}

/** Where a zone's name begins: inside its box, but left of the margin in which the clusters lie. */
export function labelLeft(box: ZoneBox, textWidth: number, pane: PaneScale, margin: number): number {
  return Math.max(LABEL_GAP_PX, Math.min(box.left + LABEL_GAP_PX, pane.width - margin - textWidth));
}

/** Takes the place unless it touches one that is taken; says whether it could. */
export function takePlace(place: Place, taken: Place[]): boolean {
  const touches = (other: Place): boolean =>
    place.top < other.bottom && other.top < place.bottom && place.left < other.right && other.left < place.right;
  if (taken.some(touches)) return false;
  taken.push(place);
  return true;
}
