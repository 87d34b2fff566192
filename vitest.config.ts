import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));

/** Tests run on `src`: no build stands between an edit and its test. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@guildkit\/testkit$/, replacement: `${root}tools/testkit/src/index.ts` },
      { find: /^@guildkit\/([^/]+)\/(.+)$/, replacement: `${root}packages/$1/src/$2/index.ts` },
      { find: /^@guildkit\/([^/]+)$/, replacement: `${root}packages/$1/src/index.ts` },
    ],
  },
  test: {
    // By default one core is left free, which of two is half.
    maxWorkers: '100%',
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          include: [
            'packages/*/test/{unit,model,contract,conformance,chaos}/**/*.test.ts',
            'examples/embedding/test/**/*.test.ts',
            'tools/testkit/test/**/*.test.ts',
            'tools/test/**/*.test.mjs',
          ],
          environment: 'node',
          // Tests wait for conditions, not for time: this only bounds a hang on a busy machine.
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'dom',
          include: ['packages/realtime-client/test/dom/**/*.test.{ts,tsx}'],
          environment: 'happy-dom',
        },
      },
    ],
  },
});
