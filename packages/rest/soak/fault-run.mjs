// The fault run over 20,000 requests: `npm run soak -- rest [--requests=20000]`.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const vitest = fileURLToPath(new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url));
const args = ['run', '--project', 'node', 'packages/rest/test/chaos/fault-run.test.ts'];
const [, requests = '20000'] = /^--requests=(\d+)$/.exec(process.argv[2] ?? '') ?? [];
const env = { ...process.env, SOAK_REQUESTS: requests };
const { status } = spawnSync(process.execPath, [vitest, ...args], { cwd: root, env, stdio: 'inherit' });
process.exit(status ?? 1);
