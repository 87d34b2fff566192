/**
 * DAVE, long: hostile bytes for both sides, every state of the delivery service, storms, and what transitions cost in frames:
 * `node packages/rtc/soak/dave.mjs [--inputs=1000000] [--rounds=60] [--storms=100] [--seed=1]`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

const inputs = option('inputs', 1_000_000);
const rounds = option('rounds', 60);
const storms = option('storms', 100);
const seed = option('seed', 1);
const folder = mkdtempSync(join(tmpdir(), 'guildkit-soak-'));
const report = join(folder, 'dave.json');
const count = (value) => value.toLocaleString('en');

console.log(
  `${count(inputs)} inputs for each parser, ${storms} storms, ${rounds} rounds of coming and going, seed ${seed}`,
);
const started = performance.now();
const { status } = spawnSync(
  process.execPath,
  [
    vitest,
    'run',
    '--project',
    'node',
    'packages/rtc/test/chaos/fuzz-dave.test.ts',
    'packages/sandbox/test/chaos/fuzz-dave.test.ts',
    'packages/sandbox/test/model/delivery.test.ts',
    'packages/rtc/test/chaos/dave-storm.test.ts',
    'packages/rtc/test/contract/dave-loss.test.ts',
  ],
  {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      GUILDKIT_FUZZ_INPUTS: String(inputs),
      GUILDKIT_FUZZ_SEED: String(seed),
      GUILDKIT_DAVE_SEARCH: 'full',
      GUILDKIT_DAVE_STORMS: String(storms),
      GUILDKIT_DAVE_LOSS_ROUNDS: String(rounds),
      GUILDKIT_DAVE_LOSS_SEED: String(seed),
      GUILDKIT_DAVE_LOSS_REPORT: report,
    },
  },
);
if (existsSync(report)) {
  for (const [weather, figures] of Object.entries(JSON.parse(readFileSync(report, 'utf8')))) {
    console.log(`\n${weather}: ${count(figures.transitions)} transitions, ${count(figures.recoveries)} recoveries`);
    for (const who of ['staying', 'coming']) {
      const { frames, late, lost, notSent } = figures[who];
      const share = ((lost / frames) * 100).toFixed(2);
      console.log(
        `  ${who}: ${count(frames)} frames, ${count(late)} opened late, ${count(lost)} lost (${share} %), ${count(notSent)} not sent`,
      );
    }
  }
}
rmSync(folder, { recursive: true, force: true });
console.log(`\ntook ${((performance.now() - started) / 1_000).toFixed(0)} s`);
process.exitCode = status ?? 1;
