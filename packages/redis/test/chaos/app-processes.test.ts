/** App processes that are killed and replaced, by seed: every client ends with exactly the log. `npm run soak -- redis` is the long run. */
import { describe, expect, it } from 'vitest';
import { addFigures, isSoak } from '../support/figures.js';
import { processRun } from '../support/process-run.js';
import { hasRedis } from '../support/redis-server.js';

const number = (name: string, fallback: number) => Number(process.env[name] ?? fallback);
const run = {
  processes: number('GUILDKIT_SOAK_PROCESSES', 3),
  sockets: number('GUILDKIT_SOAK_SOCKETS', 24),
  seconds: number('GUILDKIT_SOAK_SECONDS', 2),
  seed: number('GUILDKIT_SOAK_SEED', 1),
  eventsPerSecond: number('GUILDKIT_SOAK_EVENTS', 40),
  everyMs: number('GUILDKIT_SOAK_EVERY_MS', 600),
  drainMs: number('GUILDKIT_SOAK_DRAIN_MS', 200),
};

describe.skipIf(!hasRedis)('processes of an app that end at random', () => {
  it('leave every client with exactly the log, in order, none twice', {
    timeout: run.seconds * 1_000 + 300_000,
  }, async () => {
    const progress = !isSoak ? undefined : (line: string) => process.stdout.write(`  ${line}\n`);
    const result = await processRun({ ...run, progress });
    addFigures(result);
    expect(result.problems).toEqual([]);
    expect(result.snapshots).toBe(0);
    expect(result.deliveries).toBeGreaterThan(run.sockets);
    // A run in which nobody lost a connection proves nothing.
    expect(result.kills).toBeGreaterThan(0);
    expect(result.rolls).toBeGreaterThan(0);
    expect(result.recoveries.killed.count).toBeGreaterThan(0);
    expect(result.recoveries.drained.count).toBeGreaterThan(0);
  });
});
