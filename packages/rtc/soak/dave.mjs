/**
 * DAVE, long: hostile bytes for both sides, every state of the delivery service, storms, and what transitions cost in frames:
 * `npm run soak -- dave [--inputs=1000000] [--rounds=60] [--storms=100] [--seed=1]`.
 */
import { figuresOf, numberOption, runTests } from '../../../tools/lib/soak.mjs';

const inputs = numberOption('inputs', 1_000_000);
const rounds = numberOption('rounds', 60);
const storms = numberOption('storms', 100);
const seed = numberOption('seed', 1);
const count = (value) => value.toLocaleString('en');

console.log(
  `${count(inputs)} inputs for each parser, ${storms} storms, ${rounds} rounds of coming and going, seed ${seed}`,
);
const started = performance.now();
const figures = figuresOf((report) =>
  runTests(
    [
      'packages/rtc/test/chaos/fuzz-dave.test.ts',
      'packages/sandbox/test/chaos/fuzz-dave.test.ts',
      'packages/sandbox/test/model/delivery.test.ts',
      'packages/rtc/test/chaos/dave-storm.test.ts',
      'packages/rtc/test/contract/dave-loss.test.ts',
    ],
    {
      GUILDKIT_FUZZ_INPUTS: inputs,
      GUILDKIT_FUZZ_SEED: seed,
      GUILDKIT_DAVE_SEARCH: 'full',
      GUILDKIT_DAVE_STORMS: storms,
      GUILDKIT_DAVE_LOSS_ROUNDS: rounds,
      GUILDKIT_DAVE_LOSS_SEED: seed,
      GUILDKIT_DAVE_LOSS_REPORT: report,
    },
  ),
);
for (const [weather, { transitions, recoveries, ...sides }] of Object.entries(figures ?? {})) {
  console.log(`\n${weather}: ${count(transitions)} transitions, ${count(recoveries)} recoveries`);
  for (const who of ['staying', 'coming']) {
    const { frames, late, lost, notSent } = sides[who];
    const share = ((lost / frames) * 100).toFixed(2);
    console.log(
      `  ${who}: ${count(frames)} frames, ${count(late)} opened late, ${count(lost)} lost (${share} %), ${count(notSent)} not sent`,
    );
  }
}
console.log(`\ntook ${((performance.now() - started) / 1_000).toFixed(0)} s`);
