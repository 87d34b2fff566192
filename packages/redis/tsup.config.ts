import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
  },
  format: ['esm', 'cjs'],
  dts: true,
  sourcemap: true,
  clean: true,
  // Off: it would drop 'use client'.
  treeshake: false,
  target: 'es2022',
  tsconfig: 'tsconfig.build.json',
});
