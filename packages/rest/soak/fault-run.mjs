// The fault run over 20,000 requests: `node packages/rest/soak/fault-run.mjs [requests]`.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const vitest = fileURLToPath(new URL('../../../node_modules/vitest/vitest.mjs', import.meta.url));
const args = ['run', '--project', 'node', 'packages/rest/test/chaos/fault-run.test.ts'];
const env = { ...process.env, SOAK_REQUESTS: process.argv[2] ?? '20000' };
const { status } = spawnSync(process.execPath, [vitest, ...args], { cwd: root, env, stdio: 'inherit' });
process.exit(status ?? 1);
