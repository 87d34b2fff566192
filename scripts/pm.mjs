// Runs the pnpm version named in package.json without a global pnpm: node scripts/pm.mjs <pnpm args>
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const { packageManager } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const result = spawnSync('npx', ['-y', packageManager, ...process.argv.slice(2)], {
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
if (result.error) console.error(`npx could not be started: ${result.error.message}`);
process.exit(result.status ?? 1);
