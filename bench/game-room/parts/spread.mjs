// How far apart ten browsers' lists of the same room are.
import { ms, percentiles } from '../../lib/stats.mjs';
import { clockOf, openRoom, watchPlayers } from '../page.mjs';
import { openStage } from '../stage.mjs';

const BROWSERS = 10;
const EVENTS = 100;
const EVERY_MS = 200;

export async function spread({ browser }) {
  const stage = await openStage({ browser });
  const { discord, url, channelId } = stage;
  const viewers = await discord.createPeople({ count: BROWSERS, prefix: 'Viewer' });
  const people = await discord.createPeople({ count: 8, prefix: 'Player' });
  const pages = [];
  for (const { id } of viewers) {
    const page = await stage.openPage({ userId: id, init: watchPlayers });
    await openRoom(page, url, channelId);
    pages.push({ page, clock: await clockOf(page) });
  }
  const userIds = people.map(({ id }) => id);
  const caused = await discord.play({ channelId, userIds, everyMs: EVERY_MS, count: EVENTS });
  const lists = await Promise.all(
    pages.map(async ({ page, clock }) => {
      await page.waitForFunction((n) => window.watch.changes.length >= n, EVENTS);
      const changes = await page.evaluate(() => window.watch.changes);
      return changes.map((change) => ({ ...change, at: change.at - clock.offset }));
    }),
  );
  let wrong = 0;
  const spreads = [];
  const latencies = [];
  for (const [n, cause] of caused.entries()) {
    const seen = lists.map((list) => list[n]);
    wrong += seen.filter((each) => each.userId !== cause.userId || each.event !== cause.event).length;
    const times = seen.map(({ at }) => at);
    spreads.push(Math.max(...times) - Math.min(...times));
    latencies.push(...times.map((at) => at - cause.at));
  }
  await stage.close();
  const row = (what, values, bound) => {
    const { p50, p95, p99, max, count } = percentiles(values);
    return `| ${what} | ${[p50, p95, p99, max].map(ms).join(' | ')} | ${count} | ${bound} |`;
  };
  return [
    `${BROWSERS} browser contexts, each with another player’s page of one room; ${EVENTS} joins and leaves, one every ${EVERY_MS} ms. All ten are drawn by`,
    `the two cores on which app and sandbox run too: most of the spread is their turn. Wrong or missing: ${wrong}.`,
    '',
    '| ms | p50 | p95 | p99 | max | samples | bound (p95) |',
    '|---|---|---|---|---|---|---|',
    row('between the first and the last page’s list', spreads, '500'),
    row('Discord event → each page’s list', latencies, '100, goal 10'),
  ];
}
