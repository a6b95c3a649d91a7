/** Dark or light: as the machine is set, or as the reader chose here (kept in this browser). */
import { ref } from 'vue';

export type Theme = 'system' | 'dark' | 'light';
const KEY = 'theme';
const ORDER: readonly Theme[] = ['system', 'dark', 'light'];

function stored(): Theme {
  const value = localStorage.getItem(KEY);
  return value === 'dark' || value === 'light' ? value : 'system';
}

export const theme = ref<Theme>(stored());

/** True while the page is dark, whatever made it so; charts, which draw their own colours, watch `themeChanges`. */
export function isDark(): boolean {
  return theme.value === 'system' ? matchMedia('(prefers-color-scheme: dark)').matches : theme.value === 'dark';
}

/** Counts up whenever the colours of the page changed. */
export const themeChanges = ref(0);

export function applyTheme(): void {
  document.documentElement.dataset['theme'] = isDark() ? 'dark' : 'light';
  const bar = cssColor('--panel');
  document.querySelectorAll('meta[name="theme-color"]').forEach((meta) => meta.setAttribute('content', bar));
  themeChanges.value += 1;
}

export function nextTheme(): void {
  theme.value = ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? 'system';
  if (theme.value === 'system') localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, theme.value);
  applyTheme();
}

/** The value of a colour token right now, for canvases: cssColor('--bull'). */
export function cssColor(token: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(token).trim();
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', applyTheme);
