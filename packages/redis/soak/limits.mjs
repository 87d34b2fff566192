/**
 * Eight processes that use up one rate limit through a shared store: no 429, and at least nine tenths of what is allowed.
 * `npm run soak -- redis [--requests=100]`, of each process, 10 a second are allowed for all; `-- limits` for this alone.
 */
import { loadavg } from 'node:os';
import { figuresOf, numberOption, runTests } from '../../../tools/lib/soak.mjs';

// The sandbox tells of its last thousand requests.
const requests = Math.min(120, numberOption('requests', 100));
const percent = (part) => `${(part * 100).toFixed(1)} %`;
const figures = figuresOf((report) =>
  runTests(['packages/redis/test/chaos/processes.test.ts'], {
    GUILDKIT_SOAK_REQUESTS: requests,
    GUILDKIT_SOAK_REPORT: report,
  }),
);
for (const { processes, served, tooMany, failed, seconds, windows, filled, used } of figures ?? []) {
  console.log(
    `${processes} processes, ${served} requests in ${seconds.toFixed(1)} s: ${tooMany} 429s, ${failed} failures`,
  );
  console.log(`${windows} windows, ${percent(filled)} of their slots used; ${percent(used)} of the allowed rate`);
  console.log(
    `load average ${loadavg()
      .map((value) => value.toFixed(1))
      .join(' ')}`,
  );
}
