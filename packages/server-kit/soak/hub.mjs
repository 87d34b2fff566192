/**
 * Recovery at length: clients that are cut off at random while events come. Each ends with exactly the log:
 * `npm run soak -- hub [--clients=200] [--events=10000] [--seed=1] [--rounds=1]`.
 */
import { figuresOf, numberOption, runTests } from '../../../tools/lib/soak.mjs';

const clients = numberOption('clients', 200);
const events = numberOption('events', 10_000);
const first = numberOption('seed', 1);
const rounds = numberOption('rounds', 1);
const count = (value) => value.toLocaleString('en');

for (let seed = first; seed < first + rounds; seed += 1) {
  const begun = performance.now();
  const figures = figuresOf((report) =>
    runTests(
      ['packages/server-kit/test/chaos/hub-recovery.test.ts'],
      {
        GUILDKIT_SOAK_CLIENTS: clients,
        GUILDKIT_SOAK_EVENTS: events,
        GUILDKIT_SOAK_SEED: seed,
        GUILDKIT_SOAK_REPORT: report,
      },
      ['-t', 'exactly the log'],
    ),
  );
  if (figures === undefined) continue;
  const { deliveries, cuts, recoveries } = figures;
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
  console.log(`seed ${seed}: ${count(clients)} clients, half by socket, half by stream; ${count(events)} events`);
  console.log(`${count(deliveries)} deliveries, ${count(cuts)} cuts, ${count(recoveries)} recoveries, ${seconds} s`);
}
