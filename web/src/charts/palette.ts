/**
 * The colours of the page for canvases, which cannot use CSS variables: read from the tokens on <html>, again
 * whenever the theme changes.
 */
import { onScopeDispose, shallowRef, type ShallowRef } from 'vue';

export interface Palette {
  surface: string;
  text: string;
  soft: string;
  muted: string;
  line: string;
  strong: string;
  raised: string;
  accent: string;
  bull: string;
  bear: string;
}

/** Token of each colour, and what stands in where a page has no such token. */
const TOKENS: Record<keyof Palette, readonly [string, string]> = {
  surface: ['--panel', '#141b23'],
  text: ['--text', '#e6edf3'],
  soft: ['--text-soft', '#a9b7c4'],
  muted: ['--text-faint', '#8697a6'],
  line: ['--line', '#273340'],
  strong: ['--line-strong', '#3a4a5b'],
  raised: ['--raised', '#1b242e'],
  accent: ['--accent', '#8ab4ff'],
  bull: ['--bull', '#2ecfae'],
  bear: ['--bear', '#ff8a66'],
};

let painter: CanvasRenderingContext2D | null | undefined;

/** Any CSS colour as #rrggbb or rgba(), the spellings both chart libraries read. */
function plain(colour: string, fallback: string): string {
  if (painter === undefined) {
    const canvas = document.createElement('canvas');
    canvas.width = 1;
    canvas.height = 1;
    painter = canvas.getContext('2d', { willReadFrequently: true });
  }
  if (!painter || !CSS.supports('color', colour)) return fallback;
  painter.clearRect(0, 0, 1, 1);
  painter.fillStyle = colour;
  painter.fillRect(0, 0, 1, 1);
  const [r = 0, g = 0, b = 0, a = 255] = painter.getImageData(0, 0, 1, 1).data;
  const hex = `#${[r, g, b].map((part) => part.toString(16).padStart(2, '0')).join('')}`;
  return a === 255 ? hex : translucent(hex, a / 255);
}

export function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const entries = Object.entries(TOKENS).map(([name, [token, fallback]]) => {
    const colour = style.getPropertyValue(token).trim();
    return [name, colour ? plain(colour, fallback) : fallback] as const;
  });
  return Object.fromEntries(entries) as unknown as Palette;
}

/** #rrggbb with an opacity. Anything else is given back as it is. */
export function translucent(hex: string, opacity: number): string {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(hex);
  if (!match) return hex;
  const [r, g, b] = match.slice(1).map((part) => Number.parseInt(part, 16));
  return `rgba(${r}, ${g}, ${b}, ${Math.round(opacity * 1000) / 1000})`;
}

/** `share` of one #rrggbb colour over another, opaque. */
export function mixed(over: string, under: string, share: number): string {
  const parts = [over, under].map((hex) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)));
  const [top = [], bottom = []] = parts;
  const sum = top.map((part, n) => Math.round(part * share + (bottom[n] ?? 0) * (1 - share)));
  return `rgb(${sum.join(', ')})`;
}

/** The palette of now; follows the page's switch and the system's. */
export function usePalette(): ShallowRef<Palette> {
  const palette = shallowRef(readPalette());
  const read = (): void => {
    palette.value = readPalette();
  };
  const observer = new MutationObserver(read);
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['class', 'data-theme'] });
  const system = matchMedia('(prefers-color-scheme: dark)');
  system.addEventListener('change', read);
  onScopeDispose(() => {
    observer.disconnect();
    system.removeEventListener('change', read);
  });
  return palette;
}
