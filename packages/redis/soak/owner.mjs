/**
 * The election of an owner, searched to the end with each fault (with lost data: half a million states), and thousands of
 * random elections and takeovers.
 * `npm run soak -- owner [--runs=20000]`: minutes, and up to 2 GB of memory.
 */
import { numberOption, runTests } from '../../../tools/lib/soak.mjs';

const runs = numberOption('runs', 20_000);
const tests = ['owner', 'owner-random', 'takeover'].map((name) => `packages/redis/test/model/${name}.test.ts`);
runTests(
  tests,
  { GUILDKIT_SOAK_SEARCH: '1', GUILDKIT_MODEL_RUNS: String(runs), NODE_OPTIONS: '--max-old-space-size=6000' },
  ['--no-file-parallelism', '--testTimeout=1800000'],
);
