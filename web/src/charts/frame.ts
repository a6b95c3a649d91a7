/**
 * What every lightweight-charts pane of the page shares: look, local times on the axis, and no attribution logo
 * (it injects a style element, which the page's policy forbids; the footer names TradingView).
 */
import {
  ColorType,
  CrosshairMode,
  LineStyle,
  TickMarkType,
  type ChartOptions,
  type DeepPartial,
  type Time,
} from 'lightweight-charts';

import { translucent, type Palette } from './palette';

const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const MONTH = new Intl.DateTimeFormat('en-GB', { month: 'short' });
const YEAR = new Intl.DateTimeFormat('en-GB', { year: 'numeric' });
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const MOMENT = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});

function dateOf(time: Time): Date {
  return new Date(typeof time === 'number' ? time * 1000 : String(time));
}

function tick(time: Time, type: TickMarkType): string {
  const date = dateOf(time);
  if (type === TickMarkType.Year) return YEAR.format(date);
  if (type === TickMarkType.Month) return MONTH.format(date);
  // A UTC midnight is rarely the reader's: then the hour is the truth.
  const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
  return type === TickMarkType.DayOfMonth || isMidnight ? DAY.format(date) : CLOCK.format(date);
}

/** Options of a chart in the page's colours. */
export function frameOptions(palette: Palette): DeepPartial<ChartOptions> {
  const grid = { color: translucent(palette.line, 0.55) };
  const crosshair = { color: palette.muted, labelBackgroundColor: palette.strong, style: LineStyle.Dashed };
  return {
    autoSize: true,
    layout: {
      background: { type: ColorType.Solid, color: palette.surface },
      textColor: palette.muted,
      fontSize: 11,
      fontFamily: 'system-ui, -apple-system, "Segoe UI", sans-serif',
      attributionLogo: false,
    },
    grid: { vertLines: grid, horzLines: grid },
    rightPriceScale: { borderColor: palette.line, entireTextOnly: true },
    timeScale: { borderColor: palette.line, timeVisible: true, secondsVisible: false, tickMarkFormatter: tick },
    crosshair: { mode: CrosshairMode.Normal, vertLine: crosshair, horzLine: crosshair },
    localization: { timeFormatter: (time: Time) => MOMENT.format(dateOf(time)) },
  };
}
