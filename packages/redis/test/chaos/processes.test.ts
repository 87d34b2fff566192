/** Node processes with one token and one Redis, against a sandbox that counts. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSandbox } from '@guildkit/sandbox';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasRedis, TestRedis } from '../support/redis-server.js';

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const PROCESSES = 4;
/** Of each process. The route allows ten a second: three windows for all, with a probe before them. */
const REQUESTS = 6;

describe.skipIf(!hasRedis)('processes that share a Redis', () => {
  let server: TestRedis;
  let folder: string;
  let program: string;
  const children = new Set<ChildProcess>();

  beforeAll(async () => {
    server = await TestRedis.start();
    folder = await mkdtemp(join(tmpdir(), 'guildkit-redis-'));
    program = join(folder, 'process.cjs');
    await build({
      entryPoints: [fileURLToPath(new URL('../support/limited-process.ts', import.meta.url))],
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      logLevel: 'silent',
      alias: {
        '@guildkit/core': fromHere('../../../core/src/index.ts'),
        '@guildkit/rest': fromHere('../../../rest/src/index.ts'),
        '@guildkit/redis': fromHere('../../src/index.ts'),
      },
    });
  });
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function run(socket: string | undefined): Promise<{ tooMany: number; failed: number; served: number }> {
    await using sandbox = await createSandbox({ seed: 1 });
    const { connection } = sandbox;
    const started = Array.from({ length: PROCESSES }, () => {
      const child = fork(program, [JSON.stringify({ connection, socket, requests: REQUESTS })]);
      children.add(child);
      return child;
    });
    await Promise.all(started.map((child) => once(child, 'message')));
    const ends = started.map(async (child) => {
      const done = once(child, 'message');
      child.send('go');
      return ((await done)[0] as { failed: number }).failed;
    });
    const failed = (await Promise.all(ends)).reduce((sum, one) => sum + one, 0);
    const { restRateLimited: tooMany, restRequests } = sandbox.traffic.counters;
    return { tooMany, failed, served: restRequests - tooMany };
  }

  it('stay within the limits of one token', async () => {
    expect(await run(server.path)).toEqual({ tooMany: 0, failed: 0, served: PROCESSES * REQUESTS });
  });

  it('do not without it: the test can fail', async () => {
    const { tooMany, failed } = await run(undefined);
    expect(failed).toBe(0);
    expect(tooMany).toBeGreaterThan(0);
  });
});
