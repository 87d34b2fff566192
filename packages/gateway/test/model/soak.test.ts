/**
 * The client over a long time of faults. A day here; `npm run soak` makes it a month. What counts as connected: the
 * client says ready and the connection is alive, of the time in which Discord could be reached.
 */
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { runSoak } from '../soak/soak.js';
import { FAULT_NAMES } from '../soak/weather.js';

const days = Number(process.env.GUILDKIT_SOAK_DAYS ?? 1);
const seed = Number(process.env.GUILDKIT_SOAK_SEED ?? 1);
const report = process.env.GUILDKIT_SOAK_REPORT;
/** Enough to tell a leak of a few bytes an event from what compilers and caches keep. */
const HEAP_GROWTH_MB = 8;

test(`${days} days of faults: nothing is lost unseen, nothing comes twice, it comes back`, async () => {
  const figures = await runSoak(days, seed);
  if (report !== undefined) writeFileSync(report, JSON.stringify(figures));
  const { events, sends, heapMb } = figures;
  expect(figures.wrong).toEqual([]);
  expect(Object.keys(figures.faults).sort()).toEqual([...FAULT_NAMES].sort());
  expect(events.delivered + events.coveredBySession + events.coveredByGap).toBe(events.happened);
  expect(events.delivered).toBeGreaterThan(5_000 * days);
  expect(sends.sent + sends.rejected).toBe(sends.made);
  expect(figures.outages).toBeGreaterThan(30 * days);
  expect(figures.checks).toBeGreaterThan(3 * days);
  expect(heapMb.late - heapMb.early).toBeLessThan(HEAP_GROWTH_MB);
  // In a day the one zombie and the one server that does not answer weigh too much.
  expect(figures.connectedShare).toBeGreaterThanOrEqual(days >= 30 ? 0.999 : 0.99);
  expect(figures.within30s).toBeGreaterThanOrEqual(days >= 30 ? 0.99 : 0.9);
}, 600_000);
