import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';
import { defineConfig, type Options } from 'tsup';

/** What is Node's gives way to what a browser has. */
export const browserPlatform: Plugin = {
  name: 'browser-platform',
  setup(build) {
    const path = fileURLToPath(new URL('src/platform.browser.ts', import.meta.url));
    build.onResolve({ filter: /\/platform\.js$/ }, () => ({ path }));
  },
};

const common: Options = {
  sourcemap: true,
  // Shared chunks in CJS too, so that an error thrown in one entry passes `instanceof` in another.
  splitting: true,
  // Off: it would drop 'use client'.
  treeshake: false,
  target: 'es2022',
  tsconfig: 'tsconfig.build.json',
};

export default defineConfig([
  {
    ...common,
    entry: { index: 'src/index.ts' },
    format: ['esm', 'cjs'],
    dts: true,
    clean: ['!browser/**'],
  },
  {
    ...common,
    // For the condition "browser": the same interface, without anything of Node's.
    entry: { index: 'src/index.ts' },
    outDir: 'dist/browser',
    clean: true,
    format: ['esm'],
    platform: 'browser',
    esbuildPlugins: [browserPlatform],
  },
]);
