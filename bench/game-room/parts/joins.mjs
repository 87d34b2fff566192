// Joins by invite while part of Discord's REST calls fail, as many as a server of rooms has on a busy evening.
import { DiscordRestClient } from '@guildkit/rest';
import { pooled } from '../../lib/rest-clients.mjs';
import { percentiles } from '../../lib/stats.mjs';
import { openStage } from '../stage.mjs';

const JOINS = 500;
const PER_ROOM = 3;
const WIDTH = 10;
const CALLS = 2_000;
const SHARE = 0.02;
const SEED = 7;

/** What the join page sends: taken from a page, so that it is the app's own request. */
async function recordJoin(stage, invite, userId) {
  const page = await stage.openPage({ userId });
  const sent = page.waitForRequest((request) => request.method() === 'POST' && request.url().includes('/_serverFn/'));
  await page.goto(stage.url + invite.path);
  const request = await sent;
  await page.locator('[data-testid=connection]', { hasText: 'Live' }).waitFor();
  const { cookie, ...headers } = await request.allHeaders();
  await page.context().close();
  const kept = Object.entries(headers).filter(([name]) => !name.startsWith(':') && name !== 'content-length');
  return { url: request.url(), headers: Object.fromEntries(kept), body: request.postData(), invite };
}

export async function joins({ browser }) {
  const stage = await openStage({ browser });
  const { discord, url, channelId: lobby } = stage;
  const hosts = await discord.createPeople({ count: Math.ceil(JOINS / PER_ROOM) + 1, prefix: 'Host' });
  const guests = await discord.createPeople({ count: JOINS + 1, prefix: 'Guest' });
  const cookies = new Map();
  for (const { id } of [...hosts, ...guests]) cookies.set(id, await stage.logIn(id));
  const rooms = [];
  await pooled(hosts.length, 4, async (n) => {
    const response = await fetch(`${url}/api/create-room`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: url, cookie: cookies.get(hosts[n].id) },
      body: JSON.stringify({ name: `Table ${n}` }),
    });
    if (!response.ok) throw new Error(`no room: ${response.status} ${await response.text()}`);
    const { channelId, invite } = await response.json();
    const token = typeof invite === 'string' ? invite : invite.token;
    rooms.push({ channelId, token, path: `/join/${channelId}?invite=${token}` });
  });
  for (const { id } of guests) await discord.place({ userId: id, channelId: lobby });
  const like = await recordJoin(stage, rooms.pop(), guests.pop().id);

  await discord.disturbRest({ answer: 503, share: SHARE, seed: SEED });
  const before = await discord.counters();
  const times = [];
  let succeeded = 0;
  const started = performance.now();
  await pooled(JOINS, WIDTH, async (n) => {
    const { id } = guests[n];
    const { channelId, token } = rooms[Math.floor(n / PER_ROOM)];
    const body = like.body.replaceAll(like.invite.token, token).replaceAll(like.invite.channelId, channelId);
    const start = performance.now();
    const response = await fetch(like.url, {
      method: 'POST',
      headers: { ...like.headers, cookie: cookies.get(id) },
      body,
    });
    await response.text();
    times.push(performance.now() - start);
    if (response.ok && (await discord.channelOf(id)) === channelId) succeeded += 1;
  });
  const tookMs = performance.now() - started;
  const after = await discord.counters();

  const rest = new DiscordRestClient({ ...stage.connection, globalRequestsPerSecond: 10_000 });
  const callTimes = [];
  let answered = 0;
  await pooled(CALLS, WIDTH, async (n) => {
    const start = performance.now();
    const done = await rest.getChannel(rooms[n % rooms.length].channelId).then(
      () => 1,
      () => 0,
    );
    callTimes.push(performance.now() - start);
    answered += done;
  });
  await rest.close();
  await stage.close();

  const share = (of, all) => `${((of / all) * 100).toFixed(1)} % (${of} of ${all.toLocaleString('en')})`;
  const row = (what, values, success, bound) => {
    const { p50, p95, max } = percentiles(values);
    return `| ${what} | ${success} | ${[p50, p95, max].map((value) => value.toFixed(0)).join(' | ')} | ${bound} |`;
  };
  const requests = after.restRequests - before.restRequests;
  return [
    `By the request that the invite’s page sends, ${WIDTH} at a time, ${PER_ROOM} into each of ${rooms.length} rooms; each player was in another voice channel`,
    `and is moved. It counts when the first request is answered well and the player is in the room’s voice channel. The app made`,
    `${Number.isFinite(requests) ? `${requests.toLocaleString('en')} calls` : 'its calls'} in ${(tookMs / 1000).toFixed(1)} s: no more than Discord’s 50 a second. The limits of single routes are off in the sandbox.`,
    '',
    '| | succeeded | p50 ms | p95 ms | max ms | bound |',
    '|---|---|---|---|---|---|',
    row('join by invite, first try', times, share(succeeded, JOINS), '95 %, goal 99.5 %; p95 2,000'),
    row('REST calls of `@guildkit/rest`', callTimes, share(answered, CALLS), '> 99 %; p95 500'),
  ];
}
