/** Node processes with one token and one Redis, against a sandbox that counts. `npm run soak -- redis` is the long run. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createSandbox } from '@guildkit/sandbox';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle, type Program } from '../support/bundle.js';
import { addFigures, isSoak } from '../support/figures.js';
import { hasRedis, TestRedis } from '../support/redis-server.js';

const PROCESSES = 8;
/** Of each process: five windows for all. */
const REQUESTS = Number(process.env.GUILDKIT_SOAK_REQUESTS ?? 6);
/** What the route allows. */
const LIMIT = 10;
const WINDOW_MS = 1_000;

describe.skipIf(!hasRedis)('processes that share a Redis', { timeout: REQUESTS * 2_000 + 30_000 }, () => {
  let server: TestRedis;
  let program: Program;
  const children = new Set<ChildProcess>();

  beforeAll(async () => {
    server = await TestRedis.start();
    program = await bundle(new URL('../support/limited-process.ts', import.meta.url));
  });
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await server.close();
    await program.remove();
  });

  async function run(socket: string | undefined, processes: number, requests: number) {
    await using sandbox = await createSandbox({ seed: 1 });
    const { connection } = sandbox;
    const started = Array.from({ length: processes }, () => {
      const child = fork(program.path, [JSON.stringify({ connection, socket, requests })]);
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
    const at = sandbox.traffic.recent
      .filter(({ kind, direction }) => kind === 'rest' && direction === 'in')
      .map((each) => each.at);
    return { tooMany, failed, served: restRequests - tooMany, at };
  }

  it('stay within the limits of one token, and use them up', async () => {
    const { at, ...counts } = await run(server.path, PROCESSES, REQUESTS);
    expect(counts).toEqual({ tooMany: 0, failed: 0, served: PROCESSES * REQUESTS });
    const windows = windowsOf(at);
    const full = windows.slice(0, -1);
    const filled = full.reduce((sum, count) => sum + count, 0) / (full.length * LIMIT);
    // The first window comes for nothing, and time goes by between the rest.
    const seconds = ((at.at(-1) as number) - (at[0] as number)) / 1_000;
    const used = (at.length - (windows[0] as number)) / ((seconds * 1_000 * LIMIT) / WINDOW_MS);
    addFigures({ processes: PROCESSES, ...counts, seconds, windows: windows.length, filled, used });
    // A window begins with its first request, so a slow machine leaves few slots unused; answers that take as long as a
    // window leave some, as each holds its slot until one window after.
    expect(filled).toBeGreaterThanOrEqual(isSoak ? 0.9 : 0.5);
    if (isSoak) expect(used).toBeGreaterThanOrEqual(0.9);
  });

  it('do not without it: the test can fail', async () => {
    const { tooMany, failed } = await run(undefined, 3, 8);
    expect(failed).toBe(0);
    expect(tooMany).toBeGreaterThan(0);
  });
});

/** Requests in each window, as Discord counts: a window begins with its first request. */
function windowsOf(at: readonly number[]): number[] {
  const windows: number[] = [];
  let endsAt = Number.NEGATIVE_INFINITY;
  for (const time of at) {
    if (time >= endsAt) {
      windows.push(0);
      endsAt = time + WINDOW_MS;
    }
    windows[windows.length - 1] = (windows.at(-1) as number) + 1;
  }
  return windows;
}
