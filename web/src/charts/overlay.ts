/**
 * What is painted over the candles: zones from where they formed to the right edge, liquidation clusters at the
 * right margin, levels across. A series primitive of lightweight-charts; the geometry is in `zones.ts`.
 */
import type {
  AutoscaleInfo,
  IPrimitivePaneRenderer,
  IPrimitivePaneView,
  ISeriesPrimitive,
  Logical,
  SeriesAttachedParameter,
  SeriesType,
  Time,
  UTCTimestamp,
} from 'lightweight-charts';

import type { Cluster, Timeframe, Zone } from '../coin/answers';
import { openOfClose } from './bars';
import type { Palette } from './palette';
import { translucent } from './palette';
import { clusterBars, labelLeft, strengthOf, takePlace, zoneBoxes, type PaneScale, type Place, type ZoneBox } from './zones';

export interface Level {
  price: number;
  label: string;
}

export interface OverlayContent {
  zones: readonly Zone[];
  clusters: readonly Cluster[];
  levels: readonly Level[];
  /** Prices that the scale should reach to, e.g. of the plan. */
  reach: readonly number[];
  timeframe: Timeframe;
  formatVolume: (usd: number) => string;
}

type DrawTarget = Parameters<IPrimitivePaneRenderer['draw']>[0];

const LABEL_PX = 14;
const FONT = '11px system-ui, -apple-system, "Segoe UI", sans-serif';
interface Label {
  text: string;
  x: number;
  y: number;
  align: 'left' | 'right';
  colour: string;
}

/** Room of the longest cluster, and of the volume written left of it, as shares of the width. */
const MARGIN_SHARE = 0.16;
const VOLUME_SHARE = 0.08;
/** A pane this narrow has no room for more than a zone's name. */
const NARROW_PX = 480;

export class Overlay implements ISeriesPrimitive<Time> {
  private attachedTo: SeriesAttachedParameter<Time, SeriesType> | null = null;
  private readonly views: readonly IPrimitivePaneView[];

  constructor(
    private content: OverlayContent,
    private palette: Palette,
  ) {
    const behind: IPrimitivePaneRenderer = { draw: (target) => this.drawShapes(target) };
    const before: IPrimitivePaneRenderer = { draw: (target) => this.drawLabels(target) };
    this.views = [
      { zOrder: () => 'bottom', renderer: () => behind },
      { zOrder: () => 'top', renderer: () => before },
    ];
  }

  update(content: OverlayContent, palette: Palette): void {
    this.content = content;
    this.palette = palette;
    this.attachedTo?.requestUpdate();
  }

  attached(param: SeriesAttachedParameter<Time, SeriesType>): void {
    this.attachedTo = param;
  }

  detached(): void {
    this.attachedTo = null;
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return this.views;
  }

  autoscaleInfo(_start: Logical, _end: Logical): AutoscaleInfo | null {
    const { reach } = this.content;
    if (reach.length === 0) return null;
    return { priceRange: { minValue: Math.min(...reach), maxValue: Math.max(...reach) } };
  }

  private scale(size: { width: number; height: number }): PaneScale | null {
    const param = this.attachedTo;
    if (!param) return null;
    const time = param.chart.timeScale();
    return {
      width: size.width,
      height: size.height,
      yOf: (price) => param.series.priceToCoordinate(price),
      xOf: (seconds) => {
        const index = time.timeToIndex(seconds as UTCTimestamp, true);
        return index === null ? null : time.logicalToCoordinate(index as unknown as Logical);
      },
    };
  }

  private boxes(pane: PaneScale): ZoneBox[] {
    const { zones, timeframe } = this.content;
    return zoneBoxes(zones, (iso) => openOfClose(iso, timeframe), pane);
  }

  private drawShapes(target: DrawTarget): void {
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      const pane = this.scale(mediaSize);
      if (!pane) return;
      for (const box of this.boxes(pane)) this.drawZone(context, box);
      this.drawLevels(context, pane);
      this.drawClusters(context, pane);
    });
  }

  private drawZone(context: CanvasRenderingContext2D, box: ZoneBox): void {
    const colour = box.zone.direction === 'bullish' ? this.palette.bull : this.palette.bear;
    const strength = strengthOf(box.zone.state);
    const height = Math.max(1, box.bottom - box.top);
    context.save();
    if (!box.isLine) {
      // Fainter until the bar at which it could be known: nobody could have traded it there.
      context.fillStyle = translucent(colour, 0.05 * strength);
      context.fillRect(box.left, box.top, box.known - box.left, height);
      context.fillStyle = translucent(colour, 0.13 * strength);
      context.fillRect(box.known, box.top, box.right - box.known, height);
    }
    context.strokeStyle = translucent(colour, 0.35 + 0.4 * strength);
    context.lineWidth = 1;
    context.setLineDash(box.zone.state === 'untouched' ? [] : [4, 3]);
    context.beginPath();
    for (const y of box.isLine ? [box.top] : [box.top, box.bottom]) {
      context.moveTo(box.left, Math.round(y) + 0.5);
      context.lineTo(box.right, Math.round(y) + 0.5);
    }
    context.stroke();
    context.restore();
  }

  private drawLevels(context: CanvasRenderingContext2D, pane: PaneScale): void {
    context.save();
    context.strokeStyle = translucent(this.palette.text, 0.45);
    context.setLineDash([1, 3]);
    context.beginPath();
    for (const level of this.content.levels) {
      const y = pane.yOf(level.price);
      if (y === null || y < 0 || y > pane.height) continue;
      context.moveTo(0, Math.round(y) + 0.5);
      context.lineTo(pane.width, Math.round(y) + 0.5);
    }
    context.stroke();
    context.restore();
  }

  /** Longs that are closed by force are sold: bearish, as everywhere on these pages. */
  private drawClusters(context: CanvasRenderingContext2D, pane: PaneScale): void {
    for (const bar of clusterBars(this.content.clusters, pane, pane.width * MARGIN_SHARE)) {
      context.fillStyle = translucent(bar.cluster.side === 'LONG' ? this.palette.bear : this.palette.bull, 0.55);
      context.fillRect(bar.left, bar.top, bar.right - bar.left, Math.max(1, bar.bottom - bar.top - 1));
    }
  }

  private drawLabels(target: DrawTarget): void {
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      const pane = this.scale(mediaSize);
      if (!pane) return;
      context.save();
      context.font = FONT;
      context.textBaseline = 'middle';
      const taken: Place[] = [];
      this.labelClusters(context, pane, taken);
      for (const box of this.boxes(pane)) this.labelZone(context, box, pane, taken);
      for (const level of this.content.levels) this.labelLevel(context, level, pane, taken);
      context.restore();
    });
  }

  private labelZone(context: CanvasRenderingContext2D, box: ZoneBox, pane: PaneScale, taken: Place[]): void {
    const state = pane.width < NARROW_PX ? '' : ` · ${box.zone.state.replaceAll('_', ' ')}`;
    const text = box.zone.label + state;
    const left = labelLeft(box, context.measureText(text).width, pane, pane.width * (MARGIN_SHARE + VOLUME_SHARE));
    const middle = box.isLine ? box.top - LABEL_PX / 2 : (box.top + box.bottom) / 2;
    const colour = box.zone.direction === 'bullish' ? this.palette.bull : this.palette.bear;
    this.write(context, { text, x: left, y: middle, align: 'left', colour }, taken);
  }

  private labelLevel(context: CanvasRenderingContext2D, level: Level, pane: PaneScale, taken: Place[]): void {
    const y = pane.yOf(level.price);
    if (y === null || y < 0 || y > pane.height) return;
    this.write(context, { text: level.label, x: 6, y: y - LABEL_PX / 2, align: 'left', colour: this.palette.muted }, taken);
  }

  private labelClusters(context: CanvasRenderingContext2D, pane: PaneScale, taken: Place[]): void {
    const bars = clusterBars(this.content.clusters, pane, pane.width * MARGIN_SHARE);
    for (const bar of bars.sort((a, b) => b.cluster.volume - a.cluster.volume)) {
      const isLong = bar.cluster.side === 'LONG';
      const text = `${isLong ? 'L' : 'S'} ${this.content.formatVolume(bar.cluster.volume)}`;
      const colour = isLong ? this.palette.bear : this.palette.bull;
      this.write(context, { text, x: bar.left - 5, y: (bar.top + bar.bottom) / 2, align: 'right', colour }, taken);
    }
  }

  /** Text with a halo of the background, readable over candles; nothing where another label stands. */
  private write(context: CanvasRenderingContext2D, label: Label, taken: Place[]): void {
    const width = context.measureText(label.text).width;
    const left = label.align === 'left' ? label.x : label.x - width;
    const place = { left, right: left + width, top: label.y - LABEL_PX / 2, bottom: label.y + LABEL_PX / 2 };
    if (!takePlace(place, taken)) return;
    context.textAlign = label.align;
    context.lineJoin = 'round';
    context.lineWidth = 3;
    context.strokeStyle = translucent(this.palette.surface, 0.85);
    context.strokeText(label.text, label.x, label.y);
    context.fillStyle = label.colour;
    context.fillText(label.text, label.x, label.y);
  }
}
