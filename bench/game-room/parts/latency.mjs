// Discord event → the list on a page, with 99 more sockets in Node; by WebSocket and by server-sent events. Memory of the app.
import { ms, percentiles } from '../../lib/stats.mjs';
import { clockOf, openRoom, watchPlayers } from '../page.mjs';
import { memoryOf, openStage } from '../stage.mjs';

const SOCKETS = 100;
const EVENTS = 1_000;
const EVERY_MS = 10;
const WARM_UP = 200;
const WAYS = [
  { way: 'ws', name: 'WebSocket', bound: '100, goal 10' },
  { way: 'sse', name: 'server-sent events', bound: '400, goal 20' },
];

/** What was caused and not shown yet, by what the page tells of it: one drawing may show several changes, in any order. */
function latenciesOf(seen, caused, offsetMs, at = 'at') {
  const waiting = new Map();
  for (const { userId, event, at: causedAt } of caused) {
    const key = `${event} ${userId}`;
    waiting.set(key, [...(waiting.get(key) ?? []), causedAt]);
  }
  let wrong = Math.abs(seen.length - caused.length);
  const latencies = [];
  for (const change of seen) {
    const causedAt = waiting.get(`${change.event} ${change.userId}`)?.shift();
    if (causedAt === undefined) wrong += 1;
    else latencies.push(change[at] - offsetMs - causedAt);
  }
  return { wrong, latencies };
}

/** How many of a client's events are out of order, doubled or missing. */
const disorder = (list, caused) =>
  Math.abs(list.length - caused.length) +
  list.filter(([userId, event], n) => caused[n]?.userId !== userId || caused[n].event !== event).length;

export async function latency({ browser }) {
  const rows = [];
  const notes = [];
  let wrong = 0;
  for (const { way, name, bound } of WAYS) {
    const stage = await openStage({ browser });
    const { discord, url, channelId } = stage;
    const before = (await memoryOf(stage.app.pid)).now;
    const people = await discord.createPeople({ count: 50, prefix: 'Player' });
    const listeners = await discord.createPeople({ count: SOCKETS, prefix: 'Viewer' });
    const page = await stage.openPage({ userId: listeners[0].id, way, init: watchPlayers });
    await openRoom(page, url, channelId);
    const clock = await clockOf(page);
    const cookies = [];
    for (const { id } of listeners.slice(1)) cookies.push(await stage.logIn(id));
    const sockets = await stage.startSockets({ way, channelId, cookies });
    const userIds = people.map(({ id }) => id);
    const round = async (count) => {
      await sockets.calls.clear();
      await page.evaluate(() => {
        window.watch.changes = [];
      });
      const caused = await discord.play({ channelId, userIds, everyMs: EVERY_MS, count });
      const others = await sockets.calls.collect(count);
      await page.waitForFunction((n) => window.watch.changes.length >= n, count, { timeout: 20_000 });
      // The last of them is drawn in the frame that follows.
      await page.waitForTimeout(100);
      return { caused, others, own: await page.evaluate(() => window.watch.changes) };
    };
    await round(WARM_UP);
    const { caused, others, own } = await round(EVENTS);
    const { now, peak } = await memoryOf(stage.app.pid);
    const inDom = latenciesOf(own, caused, clock.offset);
    const drawn = latenciesOf(own, caused, clock.offset, 'drawnAt');
    const inNode = others.flatMap((list) => list.map(([, , at], n) => at - (caused[n]?.at ?? Number.NaN)));
    wrong += inDom.wrong + others.reduce((sum, list) => sum + disorder(list, caused), 0);
    const row = (what, values, limit) => {
      const { p50, p95, p99, max, count } = percentiles(values);
      rows.push(`| ${name}: ${what} | ${[p50, p95, p99, max].map(ms).join(' | ')} | ${count} | ${limit} |`);
    };
    row('in the page’s list', inDom.latencies, bound);
    row('that frame drawn', drawn.latencies, '');
    row(`${SOCKETS - 1} clients in Node`, inNode, bound);
    notes.push(
      `${name}: ${before.toFixed(0)} MB before, ${now.toFixed(0)} MB with ${SOCKETS} sockets after ${(EVENTS + WARM_UP).toLocaleString('en')} events (most: ${peak.toFixed(0)} MB)`,
    );
    notes.clock = Math.max(notes.clock ?? 0, clock.error);
    sockets.end();
    await stage.close();
  }
  return [
    `${EVENTS.toLocaleString('en')} joins and leaves, one every ${EVERY_MS} ms, in one room with up to 50 people in voice, to ${SOCKETS} sockets of as many players: a`,
    `room’s page in Chromium and ${SOCKETS - 1} clients in Node. From before the sandbox dispatches to the change of the list in the`,
    `page’s DOM (MutationObserver), and to the end of the frame that draws it. Clocks agree within ${ms(notes.clock)} ms. Out of`,
    `order, doubled or missing: ${wrong}.`,
    '',
    '| ms | p50 | p95 | p99 | max | samples | bound (p95) |',
    '|---|---|---|---|---|---|---|',
    ...rows,
    '',
    'Resident memory of the app process (gateway, rooms, hub and pages in one; bound 512 MB, goal 200 MB):',
    '',
    ...notes.map((note) => `- ${note}`),
  ];
}
