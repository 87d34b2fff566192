// What is asked of each client: `rules` of the server, `options` of the client, what the client's process does, and how its
// outcome reads in the table. Each is bounded by `withinMs`.
import { getEventListeners } from 'node:events';
import { channel, pooled } from '../lib/rest-clients.mjs';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const seconds = (ms) => `${(ms / 1_000).toFixed(1)} s`;
const post = (request, n) => request('POST', `/channels/${channel(n)}/messages`, { body: { content: 'x' } });
const get = (request, n, options) => request('GET', `/channels/${channel(n)}/messages`, options);

/** How many fail of those that are settled. */
async function failuresOf(requests) {
  const results = await Promise.allSettled(requests);
  return results.filter(({ status }) => status === 'rejected').length;
}

/** How one request ends. */
async function endOf(promise) {
  const startedAt = performance.now();
  const end = await promise.then(
    () => 'resolved',
    (error) => `rejected (${error?.systemCode || error?.code || error?.cause?.code || error?.name || 'a string'})`,
  );
  return { end, ms: performance.now() - startedAt };
}

const tooMany = ({ failed }, { tooMany: count }, ms) =>
  `${count === 0 ? '**0**' : count} in ${seconds(ms)}${failed > 0 ? `, ${failed} failed` : ''}`;

export const PROBES = {
  cold: {
    title: '50 POSTs on a cold route, 5 per second: 429s (9 s is ideal)',
    rules: { limit: 5, latencyMs: 20 },
    withinMs: 30_000,
    async run({ request }) {
      const later = (n) => sleep(n < 25 ? 0 : 30).then(() => post(request, 1));
      return { failed: await failuresOf(Array.from({ length: 50 }, (_, n) => later(n))) };
    },
    say: tooMany,
  },
  shared: {
    title: '30 requests on two routes of one bucket, 5 per second: 429s (5 s is ideal)',
    rules: { limit: 5, latencyMs: 20, sharedHash: true },
    withinMs: 30_000,
    async run({ request }) {
      const each = (n) => (n % 2 === 0 ? post(request, 2) : request('GET', `/channels/${channel(2)}/pins`));
      return { failed: await failuresOf(Array.from({ length: 30 }, (_, n) => each(n))) };
    },
    say: tooMany,
  },
  wide: {
    title: '200 requests in one bucket of 1,000, 50 ms away, no global limit: rate',
    rules: { limit: 1_000, windowMs: 60_000, latencyMs: 50 },
    withinMs: 30_000,
    async run({ request }) {
      await get(request, 3);
      const startedAt = performance.now();
      const failed = await failuresOf(Array.from({ length: 200 }, () => get(request, 3)));
      return { failed, perSecond: 200 / ((performance.now() - startedAt) / 1_000) };
    },
    say: ({ perSecond }, { tooMany: count }) => `${perSecond.toFixed(0)}/s${count > 0 ? `, ${count} 429s` : ''}`,
  },
  global: {
    title: '300 requests on 300 channels, global limit 50 per second: 429s (5 s is ideal)',
    rules: { globalPerSecond: 50, latencyMs: 20, jitterMs: 30 },
    options: { globalPerSecond: 50 },
    withinMs: 40_000,
    async run({ request }) {
      return { failed: await failuresOf(Array.from({ length: 300 }, (_, n) => get(request, 1_000 + n))) };
    },
    say: tooMany,
  },
  steady: {
    title: '60 per second offered for 6 s, global limit 50 per second: 429s',
    rules: { globalPerSecond: 50, latencyMs: 20, jitterMs: 60 },
    options: { globalPerSecond: 50 },
    withinMs: 40_000,
    async run({ request }) {
      const startedAt = performance.now();
      const all = [];
      while (all.length < 360) {
        const due = Math.min(360, Math.ceil(((performance.now() - startedAt) / 1_000) * 60));
        while (all.length < due)
          all.push(
            get(request, 5_000 + all.length).then(
              () => true,
              () => false,
            ),
          );
        await sleep(5);
      }
      return { failed: (await Promise.all(all)).filter((ok) => !ok).length };
    },
    say: tooMany,
  },
  failingGet: {
    title: '500 to a GET: tries, and the gaps between them',
    rules: { status: 500 },
    withinMs: 30_000,
    run: ({ request }) => endOf(get(request, 6)),
    say(_, { at }) {
      const gaps = at.slice(1).map((time, n) => `${(time - at[n]).toFixed(0)} ms`);
      return `${at.length}${gaps.length > 0 ? `: ${gaps.join(', ')}` : ''}`;
    },
  },
  failingPost: {
    title: '500 to a POST without a nonce: tries (more than 1 may post twice)',
    rules: { status: 500 },
    withinMs: 30_000,
    run: ({ request }) => endOf(post(request, 7)),
    say: (_, { total }) => (total === 1 ? '**1**' : String(total)),
  },
  refused: {
    title: 'no server: the end of a request',
    origin: 'http://127.0.0.1:1',
    withinMs: 10_000,
    run: ({ request }) => endOf(get(request, 8)),
    say: ({ end, ms }) => `${end} after ${seconds(ms)}`,
  },
  stalled: {
    title: 'a body that stalls, timeout 1 s: the end of a request',
    rules: { stall: true },
    options: { timeoutMs: 1_000 },
    withinMs: 12_000,
    run: ({ request }) => endOf(get(request, 9)),
    say: ({ end, ms }) => `${end} after ${seconds(ms)}`,
  },
  abort: {
    title: 'AbortSignal: a queued request leaves; listeners left after 500 requests',
    rules: { limit: 600, windowMs: 3_000 },
    withinMs: 20_000,
    async run({ request }) {
      const shared = new AbortController();
      for (let n = 0; n < 500; n += 1) await get(request, 10, { signal: shared.signal });
      const listeners = getEventListeners(shared.signal, 'abort').length;
      const own = new AbortController();
      const others = Array.from({ length: 150 }, () => get(request, 10).catch(() => {}));
      const queued = endOf(get(request, 10, { signal: own.signal }));
      own.abort();
      const { end, ms } = await queued;
      await Promise.all(others);
      return { listeners, left: end !== 'resolved', ms };
    },
    say: ({ listeners, left, ms }) => (left ? `after ${ms.toFixed(0)} ms; ${listeners}` : 'no'),
  },
  invalid: {
    title: '10,500 requests that are answered 403 (10,000 in ten minutes is a ban): sent',
    rules: { status: 403 },
    withinMs: 40_000,
    async run({ request }) {
      let settled = 0;
      const each = (n) =>
        get(request, n % 50)
          .then(
            () => {},
            () => {},
          )
          .then(() => {
            settled += 1;
          });
      await pooled(10_500, 64, each);
      return { settled };
    },
    say: (_, { total }) => (total < 10_000 ? `**${total.toLocaleString('en')}**` : total.toLocaleString('en')),
    // One that holds requests back for the rest of ten minutes is as good as one that refuses.
    sayLate: (_, { total }) => `${total.toLocaleString('en')}, then holds on`,
  },
  event: {
    title: '429s without rate-limit headers: events about them',
    rules: { limit: 1, windowMs: 800, silent: true },
    withinMs: 20_000,
    async run({ request }, events) {
      const failed = await failuresOf([1, 2, 3].map(() => get(request, 11)));
      return { failed, events: events.length };
    },
    say: ({ events }, { tooMany: count }, _, hasEvent) => (hasEvent ? `${events} of ${count}` : 'none'),
  },
  memory: {
    title: '10,000 channels: heap per channel; 65 s later, after one more request',
    rules: {},
    withinMs: 120_000,
    async run({ request, buckets }) {
      const heap = async () => {
        for (let n = 0; n < 3; n += 1) {
          global.gc();
          await sleep(50);
        }
        return process.memoryUsage().heapUsed;
      };
      // What the first requests load and build is not counted.
      await pooled(500, 32, (n) => get(request, 20 + n));
      const before = await heap();
      await pooled(10_000, 32, (n) => get(request, 100_000 + n));
      const after = await heap();
      const held = buckets();
      await sleep(65_000);
      await get(request, 12);
      const later = await heap();
      return { perChannel: (after - before) / 10_000, held, later: (later - before) / 10_000, left: buckets() };
    },
    say: ({ perChannel, held, later, left }) =>
      `${perChannel.toFixed(0)} B (${held.toLocaleString('en')} entries); ${Math.max(0, later).toFixed(0)} B (${left.toLocaleString('en')})`,
  },
};
