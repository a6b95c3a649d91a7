/** The numbers of /api/stats as named facts, whatever groups they stand in. Pure. */
import { formatAge, formatCount, formatNumber, isKnown, words } from '../format';

export interface Fact {
  name: string;
  value: string;
}

const SKIPPED = new Set(['timestamp', 'dataMode', 'since', 'asOf', 'truncated']);

function valueText(key: string, value: number): string {
  if (/S$/.test(key)) return formatAge(value);
  return Number.isInteger(value) ? formatCount(value) : formatNumber(value, 2);
}

function nameText(path: readonly string[]): string {
  const text = path.map((part) => words(part.replace(/([a-z])(\d)/g, '$1 $2').replace(/S$/, ''))).join(': ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function entryFacts(path: string[], value: unknown): Fact[] {
  if (typeof value === 'number') return [{ name: nameText(path), value: valueText(path.at(-1) ?? '', value) }];
  if (Array.isArray(value)) return value.flatMap((entry: unknown) => namedFact(path, entry));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => (SKIPPED.has(key) ? [] : entryFacts([...path, key], inner)));
}

/** An entry such as {name: "muted", count: 3} or {direction: "LONG", count: 2}. */
function namedFact(path: string[], entry: unknown): Fact[] {
  if (typeof entry !== 'object' || entry === null || !('count' in entry)) return [];
  const name = Object.values(entry).find((value) => typeof value === 'string');
  const { count } = entry as { count: unknown };
  if (typeof name !== 'string' || typeof count !== 'number' || !isKnown(count)) return [];
  return [{ name: nameText([...path, name]), value: formatCount(count) }];
}

export function statFacts(answer: Record<string, unknown>): Fact[] {
  return entryFacts([], answer);
}
