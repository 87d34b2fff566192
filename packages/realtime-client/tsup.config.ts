import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    'legacy/index': 'src/legacy/index.ts',
    'media/index': 'src/media/index.ts',
    'react/index': 'src/react/index.ts',
    'web-socket.browser': 'src/io/web-socket.browser.ts',
  },
  format: ['esm', 'cjs'],
  // Left to whoever loads the package: Node or a bundler knows which one it wants.
  external: ['#web-socket'],
  dts: {
    entry: {
      index: 'src/index.ts',
      'legacy/index': 'src/legacy/index.ts',
      'media/index': 'src/media/index.ts',
      'react/index': 'src/react/index.ts',
    },
  },
  sourcemap: true,
  clean: true,
  // Shared chunks in CJS too, so that an error thrown in one entry passes `instanceof` in another.
  splitting: true,
  // Off: it would drop 'use client'.
  treeshake: false,
  target: 'es2022',
  tsconfig: 'tsconfig.build.json',
});
