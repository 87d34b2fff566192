/** A thousand schedules of faults over real sockets, by seed: `npm run soak -- sockets [--schedules=1000]`. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const vitest = fileURLToPath(new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url));
const found = process.argv.slice(2).find((argument) => argument.startsWith('--schedules='));
const schedules = found?.slice('--schedules='.length) ?? '1000';
if (!/^[1-9]\d{0,5}$/.test(schedules)) {
  console.error('--schedules must be a whole number above 0');
  process.exit(2);
}
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', '--project', 'node', 'packages/gateway/test/chaos/socket-schedules.test.ts'],
  { cwd: root, stdio: 'inherit', env: { ...process.env, GUILDKIT_SOCKET_SCHEDULES: schedules } },
);
process.exitCode = status ?? 1;
