// Killed in the middle of events: how long until a page is right again, and whether anybody is missing or there twice.
import { nowMs, percentiles } from '../../lib/stats.mjs';
import { clockOf, openRoom, watchPlayers } from '../page.mjs';
import { openStage } from '../stage.mjs';

const EVERY_MS = 50;
/** How long process and page have been connected when one is killed: what has held for 5 s is tried again after a second, not later. */
const SETTLED_MS = 6_000;
/** A change that is on its way to the page. */
const ON_ITS_WAY_MS = 50;

const CASES = [
  { topology: 'inline', what: 'gateway connection cut', exact: true },
  { topology: 'inline', what: 'app killed', victim: 'app' },
  { topology: 'webhook', what: 'gateway worker killed', victim: 'worker', exact: true },
  { topology: 'webhook', what: 'app killed', victim: 'app' },
  { topology: 'link', what: 'gateway worker killed', victim: 'worker', exact: true },
  { topology: 'link', what: 'app killed', victim: 'app' },
];

/** The process is started again as by a supervisor that waits for nothing. */
async function strike(stage, victim) {
  if (victim === undefined) return stage.discord.cut();
  await stage[victim].kill();
  return stage[victim].start();
}

/** Who was there at a time, as the page writes it. */
function whoAt(caused, at) {
  const there = new Set();
  for (const cause of caused) {
    if (cause.at > at) break;
    if (cause.event === 'voice.joined') there.add(cause.userId);
    else there.delete(cause.userId);
  }
  return [...there].sort().join();
}

export async function recovery({ browser, runs = 4 }) {
  const rows = [];
  let stage;
  for (const { topology, what, victim, exact = false } of CASES) {
    if (stage?.topology !== topology) {
      await stage?.close();
      stage = { topology, ...(await openStage({ browser, topology, sandbox: {} })) };
    }
    const { discord, url, channelId } = stage;
    const [viewer] = await discord.createPeople({ count: 1, prefix: 'Viewer' });
    const people = await discord.createPeople({ count: 6, prefix: 'Player' });
    const page = await stage.openPage({ userId: viewer.id, init: watchPlayers });
    let told = [];
    page.on('websocket', (socket) =>
      socket.on('framereceived', ({ payload }) => {
        const { event, payload: about } = JSON.parse(payload);
        if (event === 'voice.joined' || event === 'voice.left') told.push(`${event} ${about.userId}`);
      }),
    );
    await openRoom(page, url, channelId);
    const { offset } = await clockOf(page);
    let liveAt = nowMs();
    const times = [];
    const faults = { missing: 0, twice: 0 };
    for (let run = 0; run < runs; run += 1) {
      const waitMs = victim === undefined ? 0 : Math.max(stage[victim].startedAt, liveAt) + SETTLED_MS - nowMs();
      if (waitMs > 0) await page.waitForTimeout(waitMs);
      told = [];
      await page.evaluate(() => {
        window.watch.states = [];
      });
      await discord.startCrowd({ channelId, userIds: people.map(({ id }) => id), everyMs: EVERY_MS });
      await page.waitForTimeout(700 + 37 * run);
      const struckAt = nowMs();
      await strike(stage, victim);
      await page.locator('[data-testid=connection]', { hasText: 'Live' }).waitFor();
      liveAt = nowMs();
      // People come and go on: what comes after the recovery has to be right too.
      const before = await page.evaluate(() => window.watch.states.length);
      await page.waitForFunction((n) => window.watch.states.length >= n, before + 10);
      const caused = await discord.endCrowd();
      await page.waitForTimeout(500);
      const { states, doubles } = await page.evaluate(() => window.watch);
      const firstAfter = caused.find(({ at }) => at > struckAt).at;
      const rightAt = states
        .map(({ at, ...state }) => ({ ...state, at: at - offset }))
        .find(
          ({ at, isLive, users }) =>
            isLive && at > firstAfter && [at, at - ON_ITS_WAY_MS].some((then) => whoAt(caused, then) === users),
        )?.at;
      times.push((rightAt ?? Number.NaN) - struckAt);
      const shown = new Set(states.at(-1).users.split(','));
      const there = new Set(whoAt(caused, Number.POSITIVE_INFINITY).split(','));
      faults.missing += [...there].filter((id) => !shown.has(id)).length;
      faults.twice += doubles + [...shown].filter((id) => !there.has(id)).length;
      if (exact) {
        // Each change came once, in its order.
        const wanted = caused.map(({ userId, event }) => `${event} ${userId}`);
        const came = told.filter((each, n) => each === wanted[n]).length;
        faults.missing += wanted.length - came;
        faults.twice += Math.max(0, told.length - wanted.length);
      }
      // The next run begins with nobody there.
      await discord.leaveAll();
      await page.locator('[data-testid=players] [data-user]').first().waitFor({ state: 'detached' });
    }
    await page.context().close();
    const { p50, max } = percentiles(times);
    rows.push(
      `| ${topology} | ${what} | ${p50.toFixed(0)} | ${max.toFixed(0)} | ${runs} | ${faults.missing} | ${faults.twice} |`,
    );
  }
  await stage.close();
  return [
    `Six people come and go, one change each ${EVERY_MS} ms, before, meanwhile and after. \`kill -9\` of a process that was up for ${SETTLED_MS / 1000} s, and it is`,
    'started again at once, as by a supervisor without a pause; its start is in the figure. Until a page that is open says “Live” and lists whoever is',
    'there at that moment. Missing, twice: at the end, and at any time in the list; where the gateway session is resumed, each single',
    'change must come once, in order. The bound for any outage is 30 s; 5 s after a plain disconnect.',
    '',
    '| topology | what | p50 ms | max ms | runs | missing | twice |',
    '|---|---|---|---|---|---|---|',
    ...rows,
  ];
}
