import { fileURLToPath } from 'node:url';

import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vitest/config';

import { gzipNeighbours } from './scripts/gzip-neighbours.ts';

/** Where `npm run dev` finds a running service. */
const SERVICE = process.env['SERVICE_URL'] ?? 'http://127.0.0.1:8000';

/** Paths of the service that a page asks for; everything else is the dashboard itself. */
const SERVICE_PATHS =
  '^/(api|advanced|coinglass|events|flow|health|heatmap|history|market|price|replay|signals|smc|stream|symbols|track-record)(/|\\?|$)';

export default defineConfig({
  base: '/dashboard/',
  plugins: [vue(), gzipNeighbours()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: '../app/web_dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    // The policy of the page forbids inline scripts; every supported browser preloads modules by itself.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 700,
  },
  server: {
    proxy: {
      [SERVICE_PATHS]: { target: SERVICE },
      '^/ws$': { target: SERVICE, ws: true },
    },
  },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
});
