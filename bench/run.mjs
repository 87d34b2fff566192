// npm run bench [-- name …] [--no-build] [--option=value …]: installs what the benches need, builds the packages, runs
// all benches or the named ones. Options go to the benches.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bench = fileURLToPath(new URL('.', import.meta.url));
const ALL = [
  'sandbox',
  'event-latency',
  'hub',
  'link',
  'client-size',
  'gateway',
  'gateway-recovery',
  'rest',
  'rest-probes',
  'rtp',
  'rtc',
  'rtc-join',
  'scale',
  'table',
  'game-room',
];

function run(command, args, cwd = root) {
  const result = spawnSync(command, args, {
    cwd,
    stdio: 'inherit',
    env: { ...process.env, npm_config_loglevel: 'error' },
  });
  if (result.status !== 0) process.exit(result.status ?? 1);
}

const named = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
for (const name of named) {
  if (ALL.includes(name)) continue;
  console.error(`unknown bench "${name}". Known: ${ALL.join(', ')}`);
  process.exit(2);
}
if (!process.argv.includes('--no-build')) run('node', ['scripts/pm.mjs', 'run', 'build']);
const lockfile = existsSync(`${bench}pnpm-lock.yaml`) ? ['--frozen-lockfile'] : [];
run('node', ['scripts/pm.mjs', 'install', '--ignore-workspace', '--dir', bench, ...lockfile]);
const options = process.argv.slice(2).filter((argument) => argument.startsWith('--') && argument !== '--no-build');
for (const name of named.length > 0 ? named : ALL) {
  console.log(`\n── ${name}`);
  run('node', [`${bench}${name}/main.mjs`, ...options]);
}
