/**
 * The long versions of the connection's tests: every input in every state at once, a million hostile messages, weather by
 * the ten thousand runs, many storms in the sandbox.
 * `node packages/rtc/soak/connection.mjs [--storms=300] [--inputs=1000000] [--runs=10000] [--seed=1]`.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const vitest = fileURLToPath(new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url));

function option(name, fallback) {
  const found = process.argv.slice(2).find((argument) => argument.startsWith(`--${name}=`));
  const value = found === undefined ? fallback : Number(found.slice(name.length + 3));
  if (Number.isInteger(value) && value > 0) return String(value);
  console.error(`--${name} must be a whole number above 0`);
  process.exit(2);
}

const { status } = spawnSync(
  process.execPath,
  [
    vitest,
    'run',
    '--project',
    'node',
    'packages/rtc/test/model/voice.test.ts',
    'packages/rtc/test/model/voice-random.test.ts',
    'packages/rtc/test/unit/voice-fuzz.test.ts',
    'packages/rtc/test/chaos/weather.test.ts',
    'packages/rtc/test/chaos/impatience.test.ts',
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      GUILDKIT_SOAK_STORMS: option('storms', 300),
      GUILDKIT_SOAK_INPUTS: option('inputs', 1_000_000),
      GUILDKIT_SOAK_SEED: option('seed', 1),
      GUILDKIT_SOAK_RUNS: option('runs', 10_000),
      GUILDKIT_SOAK_EVERYTHING: '1',
    },
  },
);
process.exitCode = status ?? 1;
