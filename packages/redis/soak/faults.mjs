/**
 * What hubs and their clients make of a Redis that is stopped for half a minute, paused, flushed, full, replaced.
 * `npm run soak -- redis [--away=30]`, in seconds; `-- faults` for this alone.
 */
import { figuresOf, numberOption, runTests } from '../../../tools/lib/soak.mjs';

const away = numberOption('away', 30);
const tests = ['faults', 'cluster-faults', 'sentinel'].map((name) => `packages/redis/test/chaos/${name}.test.ts`);
console.log(`Redis is away for ${away} s`);
const figures = figuresOf((report) =>
  runTests(tests, { GUILDKIT_SOAK_AWAY_MS: away * 1_000, GUILDKIT_SOAK_REPORT: report }, ['--no-file-parallelism']),
);
for (const { name, resolved, rejected, snapshots, lost, problems } of figures ?? []) {
  const refusals = Object.entries(rejected).map(([code, times]) => `${times} × ${code}`);
  console.log(`\n${name}`);
  console.log(`  ${resolved} publishes done, rejected: ${refusals.join(', ') || 'none'}`);
  console.log(
    `  clients told to start over: ${snapshots}, connections lost: ${lost}, wrong: ${problems.join('; ') || 'nothing'}`,
  );
}
