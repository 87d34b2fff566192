/**
 * App processes that are killed at random and replaced in rolling restarts while events come: every client ends with
 * exactly the log. `npm run soak -- redis [--seconds=300] [--sockets=2000] [--seed=1]`; `-- processes` for this alone.
 */
import { loadavg } from 'node:os';
import { figuresOf, numberOption, runTests } from '../../../tools/lib/soak.mjs';

const PROCESSES = 4;
const [seconds, sockets, seed] = [
  numberOption('seconds', 300),
  numberOption('sockets', 2_000),
  numberOption('seed', 1),
];
const count = (value) => value.toLocaleString('en');

console.log(
  `${PROCESSES} processes, ${count(sockets)} clients (half by socket, half by stream), ${seconds} s, seed ${seed}`,
);
const figures = figuresOf((report) =>
  runTests(['packages/redis/test/chaos/app-processes.test.ts'], {
    GUILDKIT_SOAK_PROCESSES: PROCESSES,
    GUILDKIT_SOAK_SOCKETS: sockets,
    GUILDKIT_SOAK_SECONDS: seconds,
    GUILDKIT_SOAK_SEED: seed,
    GUILDKIT_SOAK_EVENTS: 20,
    GUILDKIT_SOAK_EVERY_MS: 8_000,
    GUILDKIT_SOAK_DRAIN_MS: 2_000,
    GUILDKIT_SOAK_REPORT: report,
  }),
);
for (const { events, deliveries, kills, rolls, processes, retries, snapshots, recoveries, problems } of figures ?? []) {
  console.log(
    `${count(events)} events, ${count(deliveries)} deliveries; ${retries} publishes had to be asked for again`,
  );
  console.log(
    `${kills} kills, ${rolls} rolling restarts, ${processes} processes in all; ${snapshots} clients told to start over`,
  );
  for (const [cause, { count: times, p50, p95, max }] of Object.entries(recoveries)) {
    console.log(`${cause}: ${count(times)} recoveries; ms until whole again: p50 ${p50}, p95 ${p95}, max ${max}`);
  }
  for (const problem of problems) console.log(`PROBLEM ${problem}`);
  console.log(
    `load average ${loadavg()
      .map((value) => value.toFixed(1))
      .join(' ')}`,
  );
}
