import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    'commands/index': 'src/commands/index.ts',
    'hmac/index': 'src/hmac/index.ts',
    'http/index': 'src/http/index.ts',
    'hub/index': 'src/hub/index.ts',
    'invites/index': 'src/invites/index.ts',
    'jwt/index': 'src/jwt/index.ts',
    'link/index': 'src/link/index.ts',
    'media/index': 'src/media/index.ts',
    'oauth/index': 'src/oauth/index.ts',
    'observability/index': 'src/observability/index.ts',
    'rooms/index': 'src/rooms/index.ts',
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
