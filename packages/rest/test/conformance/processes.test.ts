/** Node processes with one token and one store, against a sandbox that counts. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMemoryRateLimitStore } from '@guildkit/rest';
import { createSandbox } from '@guildkit/sandbox';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveStore } from '../support/ipc-store.js';

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const PROCESSES = 2;
/** Of each process. Ten a second is the limit of the route: three windows, with a probe before them. */
const REQUESTS = 12;

let folder: string;
let program: string;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guildkit-rest-'));
  program = join(folder, 'process.cjs');
  await build({
    entryPoints: [fileURLToPath(new URL('../support/sharing-process.ts', import.meta.url))],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    logLevel: 'silent',
    alias: {
      '@guildkit/core': fromHere('../../../core/src/index.ts'),
      '@guildkit/rest': fromHere('../../src/index.ts'),
    },
  });
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

/** Lets every process make its requests at the same time; how many 429s they met. */
async function run(shared: boolean): Promise<{ tooMany: number; failed: number; served: number }> {
  await using sandbox = await createSandbox({ seed: 1 });
  const store = createMemoryRateLimitStore();
  const started = Array.from({ length: PROCESSES }, () => {
    const { connection } = sandbox;
    const child = fork(program, [JSON.stringify({ connection, shared, requests: REQUESTS })]);
    children.add(child);
    if (shared) serveStore(store, child);
    return child;
  });
  await Promise.all(started.map((child) => once(child, 'message')));
  const ends = started.map(async (child) => {
    const done = new Promise<{ failed: number }>((resolve, reject) => {
      child.on('message', (message: { done?: { failed: number } }) => message.done && resolve(message.done));
      child.once('exit', () => reject(new Error('it ended before it was done')));
    });
    child.send('go');
    return (await done).failed;
  });
  const failed = (await Promise.all(ends)).reduce((sum, one) => sum + one, 0);
  const { restRateLimited: tooMany, restRequests } = sandbox.traffic.counters;
  return { tooMany, failed, served: restRequests - tooMany };
}

test('two processes stay within the limits of one', async () => {
  expect(await run(true)).toEqual({ tooMany: 0, failed: 0, served: PROCESSES * REQUESTS });
});

test('without the store they do not: the test can fail', async () => {
  const { tooMany, failed } = await run(false);
  expect(failed).toBe(0);
  expect(tooMany).toBeGreaterThan(0);
});
