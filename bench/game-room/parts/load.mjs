// First load: what comes over the wire, and when a person sees and can use the page. Cold cache, from Chromium's own records.
import { median } from '../../lib/stats.mjs';
import { openStage } from '../stage.mjs';

const ROOMS = 3;
/** Names and figures of Chrome's own developer tools. */
const PROFILES = [
  { name: 'this machine', cpu: 1 },
  {
    name: 'Fast 4G, CPU ÷ 4',
    cpu: 4,
    network: { latency: 60, downloadThroughput: (9_000_000 * 0.9) / 8, uploadThroughput: (1_500_000 * 0.9) / 8 },
  },
  {
    name: 'Slow 4G, CPU ÷ 4',
    cpu: 4,
    network: { latency: 150, downloadThroughput: (1_600_000 * 0.9) / 8, uploadThroughput: (750_000 * 0.9) / 8 },
  },
];

/** In the page, before its own scripts: what Lighthouse looks at. */
function watchPaint() {
  const seen = { lcp: 0, cls: 0, tasks: [], liveAt: 0 };
  window.seen = seen;
  const observe = (type, take) =>
    new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
  observe('largest-contentful-paint', ({ startTime }) => {
    seen.lcp = startTime;
  });
  observe('layout-shift', ({ value, hadRecentInput }) => {
    if (!hadRecentInput) seen.cls += value;
  });
  observe('longtask', ({ startTime, duration }) => seen.tasks.push({ startTime, duration }));
  const look = new MutationObserver(() => {
    const mark = document.querySelector('[data-testid=connection]');
    const count = document.querySelector('[data-testid=count]');
    if (mark?.textContent !== 'Live' || (count !== null && !count.textContent.endsWith('in voice'))) return;
    seen.liveAt = performance.now();
    look.disconnect();
  });
  look.observe(document, { subtree: true, childList: true, characterData: true });
}

/** One visit with an empty cache. */
async function visit(stage, { path, userId, profile }) {
  const page = await stage.openPage({ userId, init: watchPaint });
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  await session.send('Performance.enable');
  if (profile.network !== undefined) {
    await session.send('Network.emulateNetworkConditions', { offline: false, ...profile.network });
  }
  await session.send('Emulation.setCPUThrottlingRate', { rate: profile.cpu });
  const wire = { requests: 0, bytes: 0, js: 0 };
  const scripts = new Set();
  session.on('Network.responseReceived', ({ requestId, type }) => type === 'Script' && scripts.add(requestId));
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    wire.requests += 1;
    wire.bytes += encodedDataLength;
    if (scripts.has(requestId)) wire.js += encodedDataLength;
  });
  await page.goto(stage.url + path, { waitUntil: 'load' });
  if (userId === undefined) await page.getByRole('link', { name: 'Log in with Discord' }).waitFor();
  else await page.waitForFunction(() => window.seen.liveAt > 0);
  // Nothing is on its way any more, and what was late to shift has shifted.
  await page.waitForLoadState('networkidle');
  await page.waitForTimeout(300);
  const timing = await page.evaluate(() => {
    const [navigation] = performance.getEntriesByType('navigation');
    const fcp = performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0;
    const { lcp, cls, tasks, liveAt } = window.seen;
    const blocking = tasks
      .filter(({ startTime }) => startTime >= fcp)
      .reduce((sum, { duration }) => sum + duration - 50, 0);
    return { fcp, lcp, cls, tbt: blocking, dcl: navigation.domContentLoadedEventEnd, live: liveAt };
  });
  const { metrics } = await session.send('Performance.getMetrics');
  const heap = metrics.find(({ name }) => name === 'JSHeapUsedSize').value;
  await page.context().close();
  return { ...wire, ...timing, heap };
}

export async function load({ browser, runs = 5 }) {
  const stage = await openStage({ browser });
  const { discord, channelId, url } = stage;
  const [person, ...others] = await discord.createPeople({ count: 4, prefix: 'Player' });
  const cookie = await stage.logIn(person.id);
  for (let n = 0; n < ROOMS; n += 1) {
    await fetch(`${url}/api/create-room`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: url, cookie },
      body: JSON.stringify({ name: `Table ${n}` }),
    });
  }
  for (const { id } of others) await discord.place({ userId: id, channelId });
  const pages = [
    { name: 'start, logged out', path: '/' },
    { name: 'rooms', path: '/', userId: person.id },
    { name: 'a room', path: `/room/${channelId}`, userId: person.id },
  ];
  // The server's own first is said elsewhere.
  for (const page of pages) await visit(stage, { ...page, profile: PROFILES[0] });
  const wire = [];
  const times = [];
  for (const profile of PROFILES) {
    for (const page of pages) {
      const visits = [];
      for (let run = 0; run < runs; run += 1) visits.push(await visit(stage, { ...page, profile }));
      const of = (name) => median(visits.map((each) => each[name]));
      if (profile === PROFILES[0]) {
        wire.push(
          `| ${page.name} | ${of('requests')} | ${(of('bytes') / 1024).toFixed(0)} | ${(of('js') / 1024).toFixed(0)} | ${(of('heap') / 2 ** 20).toFixed(1)} |`,
        );
      }
      const live = page.userId === undefined ? '–' : of('live').toFixed(0);
      times.push(
        `| ${profile.name} | ${page.name} | ${['fcp', 'lcp', 'dcl'].map((name) => of(name).toFixed(0)).join(' | ')} | ${live} | ${of('tbt').toFixed(0)} | ${Math.max(...visits.map(({ cls }) => cls)).toFixed(3)} |`,
      );
    }
  }
  await stage.close();
  return [
    `Cold cache, a browser context of its own for each visit; medians of ${runs}, of CLS the worst. Transferred as Chromium counts it:`,
    'headers and compressed bodies. Network and CPU are slowed by Chromium itself, with the figures of its developer tools; server and',
    'sandbox run on the same cores.',
    '',
    '| page | requests | KiB transferred | of it JavaScript | JS heap MB |',
    '|---|---|---|---|---|',
    ...wire,
    '',
    '| network, CPU | page | FCP ms | LCP ms | DOMContentLoaded ms | live ms | TBT ms | CLS |',
    '|---|---|---|---|---|---|---|---|',
    ...times,
    '',
    'FCP, LCP: first and largest contentful paint. Live: the page is connected and lists who is there. TBT: what tasks after FCP took',
    'beyond 50 ms each. CLS: layout shift.',
  ];
}
