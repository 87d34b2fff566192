/**
 * Recovery at length: clients that are cut off at random while events come. Each ends with exactly the log.
 * `node packages/server-kit/soak/hub.mjs [--clients=200] [--events=10000] [--seed=1] [--rounds=1]`
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const vitest = join(root, 'node_modules/vitest/vitest.mjs');

function option(name, fallback) {
  const found = process.argv.slice(2).find((argument) => argument.startsWith(`--${name}=`));
  const value = found === undefined ? fallback : Number(found.slice(name.length + 3));
  if (Number.isInteger(value) && value > 0) return value;
  console.error(`--${name} must be a whole number above 0`);
  process.exit(2);
}

const [clients, events, seed, rounds] = [
  option('clients', 200),
  option('events', 10_000),
  option('seed', 1),
  option('rounds', 1),
];
const count = (value) => value.toLocaleString('en');
const folder = mkdtempSync(join(tmpdir(), 'guildkit-soak-'));
for (let round = 0; round < rounds; round += 1) {
  const report = join(folder, `hub-${round}.json`);
  const begun = performance.now();
  const test = 'packages/server-kit/test/chaos/hub-recovery.test.ts';
  const { status } = spawnSync(process.execPath, [vitest, 'run', '--project', 'node', test, '-t', 'exactly the log'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      GUILDKIT_SOAK_CLIENTS: String(clients),
      GUILDKIT_SOAK_EVENTS: String(events),
      GUILDKIT_SOAK_SEED: String(seed + round),
      GUILDKIT_SOAK_REPORT: report,
    },
  });
  if (status !== 0) process.exitCode = 1;
  if (!existsSync(report)) continue;
  const { deliveries, cuts, recoveries } = JSON.parse(readFileSync(report, 'utf8'));
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1);
  console.log(
    `seed ${seed + round}: ${count(clients)} clients, half by socket, half by stream; ${count(events)} events`,
  );
  console.log(`${count(deliveries)} deliveries, ${count(cuts)} cuts, ${count(recoveries)} recoveries, ${seconds} s`);
}
rmSync(folder, { recursive: true, force: true });
