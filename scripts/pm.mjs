// Runs the pnpm version named in package.json without a global pnpm: node scripts/pm.mjs <pnpm args>
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const { packageManager } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const result = spawnSync('npx', ['-y', packageManager, '--dir', root, ...process.argv.slice(2)], {
  // From here npx would take the workspace's own pnpm, which an install may have to remove while it runs.
  cwd: tmpdir(),
  stdio: 'inherit',
  // A notice about npm itself would follow the last line of what was run.
  env: { ...process.env, npm_config_update_notifier: 'false' },
  shell: process.platform === 'win32',
});
if (result.error) console.error(`npx could not be started: ${result.error.message}`);
process.exit(result.status ?? 1);
