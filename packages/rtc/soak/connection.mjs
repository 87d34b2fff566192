/**
 * The long versions of the connection's tests: every input in every state at once, a million hostile messages, weather by
 * the ten thousand runs, many storms in the sandbox:
 * `npm run soak -- connection [--storms=300] [--inputs=1000000] [--runs=10000] [--seed=1]`.
 */
import { numberOption, runTests } from '../../../tools/lib/soak.mjs';

const files = ['model/voice', 'model/voice-random', 'unit/voice-fuzz', 'chaos/weather', 'chaos/impatience'].map(
  (name) => `packages/rtc/test/${name}.test.ts`,
);
runTests(files, {
  GUILDKIT_SOAK_STORMS: numberOption('storms', 300),
  GUILDKIT_SOAK_INPUTS: numberOption('inputs', 1_000_000),
  GUILDKIT_SOAK_SEED: numberOption('seed', 1),
  GUILDKIT_SOAK_RUNS: numberOption('runs', 10_000),
  GUILDKIT_SOAK_EVERYTHING: 1,
});
