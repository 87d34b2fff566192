/** Random disconnects, by seed: every client ends with exactly the log. `npm run soak -- hub` is the long run. */
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { recoveryRun } from '../support/recovery-run.js';

const number = (name: string, fallback: number) => Number(process.env[name] ?? fallback);
const run = {
  clients: number('GUILDKIT_SOAK_CLIENTS', 24),
  events: number('GUILDKIT_SOAK_EVENTS', 600),
  seed: number('GUILDKIT_SOAK_SEED', 1),
};

describe('clients that are cut off at random', () => {
  it('end with exactly the log, in order, none twice', { timeout: 600_000 }, async () => {
    const result = await recoveryRun(run);
    expect(result.broken).toBeUndefined();
    expect(result.deliveries).toBe(run.clients * run.events);
    // A run in which nobody was cut off, or nobody recovered, proves nothing.
    expect(result.cuts).toBeGreaterThan(3);
    expect(result.recoveries).toBeGreaterThan(run.clients / 4);
    const report = process.env.GUILDKIT_SOAK_REPORT;
    if (report !== undefined) writeFileSync(report, JSON.stringify(result));
  });

  it.each([
    ['an event is lost', (n: number) => (n === 97 ? 0 : 1)],
    ['an event comes twice', (n: number) => (n === 97 ? 2 : 1)],
  ])('are watched well enough to notice that %s', async (_, times) => {
    let seen = 0;
    const { broken } = await recoveryRun({
      clients: 4,
      events: 60,
      seed: 2,
      tamper: (frame) => {
        if (frame.seq !== undefined) seen += 1;
        return Array.from({ length: times(seen) }, () => frame);
      },
    });
    expect(broken).toBeTypeOf('string');
  });
});
