/**
 * Build plugin: writes `name.gz` beside every text file of the build.
 * The service sends that file as it is, so it never compresses anything while it serves.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

import type { Plugin } from 'vite';

const TEXT_FILE = /\.(js|css|html|svg|json|webmanifest)$/;

function filesUnder(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? filesUnder(path) : [path];
  });
}

export function gzipNeighbours(): Plugin {
  let folder = '';
  return {
    name: 'gzip-neighbours',
    apply: 'build',
    configResolved(config) {
      folder = resolve(config.root, config.build.outDir);
    },
    closeBundle() {
      for (const path of filesUnder(folder).filter((name) => TEXT_FILE.test(name))) {
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
      }
    },
  };
}
