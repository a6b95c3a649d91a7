/**
 * How every number, age and time of the dashboard is written. Pure; no component formats by itself.
 * Numbers are written as the service's own sentences write them (English digits), times in the reader's zone.
 * What is absent or not finite is a dash, never a zero and never "NaN".
 */

export const NONE = '–';
const MINUS = '−';

export type Maybe = number | null | undefined;

const formatters = new Map<string, Intl.NumberFormat>();

function formatter(key: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  let found = formatters.get(key);
  if (!found) {
    found = new Intl.NumberFormat('en-US', options);
    formatters.set(key, found);
  }
  return found;
}

function fixed(value: number, decimals: number): string {
  return formatter(`f${decimals}`, { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).format(value);
}

function significant(value: number, digits: number): string {
  return formatter(`s${digits}`, { minimumSignificantDigits: digits, maximumSignificantDigits: digits }).format(value);
}

export function isKnown(value: Maybe): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** Puts the sign before the text of a magnitude; a text of only zeros gets none ("0.00%", not "−0.00%"). */
function withSign(value: number, magnitude: string, plus: boolean): string {
  if (!/[1-9]/.test(magnitude)) return magnitude;
  if (value < 0) return MINUS + magnitude;
  return plus ? `+${magnitude}` : magnitude;
}

function priceDigits(magnitude: number): string {
  if (magnitude === 0) return '0';
  if (magnitude >= 10_000) return fixed(magnitude, 0);
  if (magnitude >= 100) return fixed(magnitude, 2);
  if (magnitude >= 1) return fixed(magnitude, 4);
  return significant(magnitude, 4);
}

/** A price in USD: 96,200 / 4,677.09 / 2.4013 / 0.00001182. Decimals go by size alone, so a ticking price keeps its width. */
export function formatPrice(value: Maybe): string {
  return isKnown(value) ? withSign(value, priceDigits(Math.abs(value)), false) : NONE;
}

/** As formatPrice, with the unit. */
export function formatPriceUsd(value: Maybe): string {
  return isKnown(value) ? withSign(value, `$${priceDigits(Math.abs(value))}`, false) : NONE;
}

const STEPS: readonly (readonly [number, string])[] = [
  [1e12, 'T'],
  [1e9, 'B'],
  [1e6, 'M'],
  [1e3, 'K'],
];

function threeDigits(magnitude: number): string {
  if (magnitude >= 99.95) return fixed(magnitude, 0);
  if (magnitude >= 9.995) return fixed(magnitude, 1);
  return fixed(magnitude, 2);
}

function compactDigits(magnitude: number): string {
  for (const [size, letter] of STEPS) {
    // 999,600 is "1.00M", not "1,000K".
    if (magnitude >= size * 0.9995) return threeDigits(magnitude / size) + letter;
  }
  if (magnitude === 0) return '0';
  return magnitude >= 1 ? threeDigits(magnitude) : significant(magnitude, 3);
}

/** An amount of money, compact to three digits: $1.24M, −$62.8K, $0.0123. */
export function formatUsd(value: Maybe, options: { plus?: boolean } = {}): string {
  return isKnown(value) ? withSign(value, `$${compactDigits(Math.abs(value))}`, options.plus ?? false) : NONE;
}

/** A number without a unit, compact to three digits: 1.24M. */
export function formatCompact(value: Maybe): string {
  return isKnown(value) ? withSign(value, compactDigits(Math.abs(value)), false) : NONE;
}

/** A count: 12,345. */
export function formatCount(value: Maybe): string {
  return isKnown(value) ? withSign(value, fixed(Math.abs(value), 0), false) : NONE;
}

/** A plain number with that many decimals: 1.43. */
export function formatNumber(value: Maybe, decimals = 2): string {
  return isKnown(value) ? withSign(value, fixed(Math.abs(value), decimals), false) : NONE;
}

/** A fraction as a percentage: 0.0123 is "1.23%", with `plus` "+1.23%". */
export function formatPct(value: Maybe, options: { decimals?: number; plus?: boolean } = {}): string {
  if (!isKnown(value)) return NONE;
  return withSign(value, `${fixed(Math.abs(value) * 100, options.decimals ?? 2)}%`, options.plus ?? false);
}

/** A funding rate as traders know it: signed percent per 8 h with four decimals, "+0.0100%". */
export function formatFunding(frac8h: Maybe): string {
  return formatPct(frac8h, { decimals: 4, plus: true });
}

/**
 * A score of 0 to 100 with one decimal, rounded towards 50 as the service's sentences do:
 * 64.96 stays "64.9" beside NEUTRAL, and a mirrored score (35.04) mirrors ("35.1").
 */
export function formatScore(value: Maybe): string {
  if (!isKnown(value)) return NONE;
  const apart = Math.trunc(Number(((value - 50) * 10).toFixed(6))) / 10;
  return fixed(50 + apart, 1);
}

/** Leverage and other multiples: 5×, 2.5×. */
export function formatTimes(value: Maybe, decimals = 1): string {
  return isKnown(value) ? `${withSign(value, String(Number(Math.abs(value).toFixed(decimals))), false)}×` : NONE;
}

/** An age or a span in seconds: "12 s", "46 min", "2 h", "3 d". A clock that runs ahead gives "0 s". */
export function formatAge(seconds: Maybe): string {
  if (!isKnown(seconds)) return NONE;
  const s = Math.max(0, seconds);
  if (s < 59.5) return `${Math.round(s)} s`;
  if (s < 59.5 * 60) return `${Math.round(s / 60)} min`;
  if (s < 47.5 * 3600) return `${Math.round(s / 3600)} h`;
  return `${fixed(Math.round(s / 86_400), 0)} d`;
}

/** Milliseconds of an ISO time, or null when it is none. */
export function timeMs(iso: string | null | undefined): number | null {
  if (!iso) return null;
  const ms = Date.parse(iso);
  return Number.isFinite(ms) ? ms : null;
}

export type TimeStyle = 'clock' | 'date' | 'minute';

const TIME_OPTIONS: Record<TimeStyle, Intl.DateTimeFormatOptions> = {
  clock: { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
  minute: { day: '2-digit', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  date: { day: '2-digit', month: 'short', year: 'numeric' },
};
const clocks = new Map<string, Intl.DateTimeFormat>();

/** A time in the reader's zone (`timeZone` for tests): "14:03:59", "26 Nov, 14:03", "26 Nov 2026". */
export function formatTime(iso: string | null | undefined, style: TimeStyle = 'clock', timeZone?: string): string {
  const ms = timeMs(iso);
  if (ms === null) return NONE;
  const key = `${style}${timeZone ?? ''}`;
  let clock = clocks.get(key);
  if (!clock) {
    clock = new Intl.DateTimeFormat('en-GB', { ...TIME_OPTIONS[style], ...(timeZone ? { timeZone } : {}) });
    clocks.set(key, clock);
  }
  return clock.format(ms);
}

/** The same time in UTC for the hover: "2026-11-26 14:03:59 UTC". */
export function formatUtc(iso: string | null | undefined): string {
  const ms = timeMs(iso);
  return ms === null ? NONE : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** A wallet address short enough for a table: 0x2e9b…a0cb. */
export function shortAddress(address: string): string {
  return address.length > 12 ? `${address.slice(0, 6)}…${address.slice(-4)}` : address;
}

/** The service's names as words: "WHALE_POSITION" and "whale_position" are "whale position", "notInPlan" is "not in plan". */
export function words(name: string): string {
  return name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replaceAll('_', ' ')
    .toLowerCase();
}
