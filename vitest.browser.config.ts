import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const root = fileURLToPath(new URL('.', import.meta.url));

const TABLE = ['examples/game-room/test/browser/*table.test.ts'];

/** For tests of the reference app in Chromium. */
const BUILT_APP = {
  environment: 'node',
  // The built app is what is tested: it must not pass through vite once more.
  server: { deps: { external: [/game-room\/(dist|\.cache\/[^/]+)\//] } },
  globalSetup: ['examples/game-room/test/browser/global-setup.ts'],
  // A page needs up to 30 s on a busy machine with two cores; conditions end a test, not this bound.
  testTimeout: 60_000,
  hookTimeout: 120_000,
};

/** What a person sees, in Chromium: the reference app, built, with its own pure parts on `src`; the sandbox's console. */
export default defineConfig({
  resolve: {
    alias: [
      { find: /^@guildkit\/testkit$/, replacement: `${root}tools/testkit/src/index.ts` },
      { find: /^@guildkit\/([^/]+)\/(.+)$/, replacement: `${root}packages/$1/src/$2/index.ts` },
      { find: /^@guildkit\/([^/]+)$/, replacement: `${root}packages/$1/src/index.ts` },
    ],
  },
  test: {
    // By default one core is left free, which of two is half; more browsers at once would wait for each other.
    maxWorkers: Math.min(2, availableParallelism()),
    projects: [
      {
        extends: true,
        test: {
          name: 'app',
          include: ['examples/*/test/unit/**/*.test.ts'],
          environment: 'node',
          // Tests wait for conditions, not for time: this only bounds a hang on a busy machine.
          testTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['examples/game-room/test/browser/**/*.test.ts'],
          exclude: TABLE,
          ...BUILT_APP,
        },
      },
      {
        extends: true,
        test: {
          name: 'table',
          include: TABLE,
          ...BUILT_APP,
          // Cameras and microphones in real time: they need the machine for themselves, after everything else.
          sequence: { groupOrder: 1 },
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'packages',
          include: ['packages/*/test/browser/**/*.test.ts'],
          environment: 'node',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
