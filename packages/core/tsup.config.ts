import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    'wire/index': 'src/wire/index.ts',
    'wire/schema/index': 'src/wire/schema/index.ts',
    // No entries for users: they keep what bundlers cannot shake off, eventemitter3 above all, in chunks of their own
    // that browser bundles leave out (1.1 kB gzip).
    emitter: 'src/emitter.ts',
    redacted: 'src/redacted.ts',
  },
  format: ['esm', 'cjs'],
  dts: true,
  sourcemap: true,
  clean: true,
  // Shared chunks in CJS too, so that an error thrown in one entry passes `instanceof` in another.
  splitting: true,
  // Off: it would drop 'use client'.
  treeshake: false,
  target: 'es2022',
  tsconfig: 'tsconfig.build.json',
});
