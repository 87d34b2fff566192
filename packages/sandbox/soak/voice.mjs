/**
 * The fuzz runs of voice, long: `node packages/sandbox/soak/voice.mjs [--runs=1000000] [--seed=1]`.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const vitest = fileURLToPath(new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url));

function option(name, fallback) {
  const found = process.argv.slice(2).find((argument) => argument.startsWith(`--${name}=`));
  const value = found === undefined ? fallback : Number(found.slice(name.length + 3));
  if (Number.isInteger(value) && value > 0) return value;
  console.error(`--${name} must be a whole number above 0`);
  process.exit(2);
}

const runs = option('runs', 1_000_000);
const seed = option('seed', 1);
console.log(`${runs.toLocaleString('en')} inputs for each parser of voice, seed ${seed}`);
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--project', 'node', '--testTimeout', '3600000', 'packages/sandbox/test/chaos/fuzz-voice.test.ts'],
  {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, GUILDKIT_FUZZ_RUNS: String(runs), GUILDKIT_FUZZ_SEED: String(seed) },
  },
);
process.exitCode = status ?? 1;
