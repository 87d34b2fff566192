// A Discord that counts: buckets in fixed windows, the global limit in a sliding one, and whatever faults a probe asks for.
import { createServer } from 'node:http';

const BODY = JSON.stringify({ id: '1', content: 'x'.repeat(400) });

/**
 * @typedef {object} Rules
 * @property {number} [limit] Requests of a bucket per window.
 * @property {number} [windowMs]
 * @property {boolean} [sharedHash] One bucket for all routes of a channel.
 * @property {boolean} [silent] Send no rate-limit headers.
 * @property {number} [globalPerSecond]
 * @property {number} [latencyMs]
 * @property {number} [jitterMs]
 * @property {number} [status] Answer everything so.
 * @property {boolean} [stall] Send a head and one byte of the body.
 */

/** @param {Rules} rules */
export async function startDiscord(rules) {
  const {
    limit = 1_000_000,
    windowMs = 1_000,
    sharedHash,
    silent,
    globalPerSecond,
    latencyMs = 0,
    jitterMs = 0,
  } = rules;
  const { status, stall } = rules;
  const seen = { total: 0, tooMany: 0, at: [] };
  const buckets = new Map();
  let globalHits = [];
  let blockedUntil = 0;

  function refuse(response, headers, seconds, global) {
    seen.tooMany += 1;
    const body = JSON.stringify({ message: 'You are being rate limited.', retry_after: seconds, global });
    const more = { 'retry-after': String(Math.ceil(seconds)), 'x-ratelimit-scope': global ? 'global' : 'user' };
    response.writeHead(429, { ...headers, ...more, 'content-type': 'application/json' }).end(body);
  }

  /** Seconds for which the global limit refuses; 0 when it counts the request. */
  function globalWait(now) {
    if (globalPerSecond === undefined) return 0;
    globalHits = globalHits.filter((at) => now - at < 1_000);
    if (now >= blockedUntil && globalHits.length < globalPerSecond) {
      globalHits.push(now);
      return 0;
    }
    if (now >= blockedUntil) blockedUntil = now + 1_000;
    return Math.max(0.05, (blockedUntil - now) / 1_000);
  }

  function bucketOf({ method, url }, now) {
    const [, channel, rest = ''] = /\/channels\/(\d+)(\/\w+)?/.exec(url) ?? [];
    const hash = sharedHash ? 'shared' : `${method}${rest.slice(1)}`;
    const key = `${hash} ${channel}`;
    let bucket = buckets.get(key);
    if (bucket === undefined || now >= bucket.resetAt) {
      bucket = { left: limit, resetAt: now + windowMs };
      buckets.set(key, bucket);
    }
    return { bucket, hash };
  }

  function answer(request, response) {
    const now = performance.now();
    const wait = globalWait(now);
    if (wait > 0) return refuse(response, { 'x-ratelimit-global': 'true' }, wait, true);
    const { bucket, hash } = bucketOf(request, now);
    const resetMs = bucket.resetAt - now;
    const full = bucket.left === 0;
    if (!full) bucket.left -= 1;
    const headers = {
      'x-ratelimit-bucket': hash,
      'x-ratelimit-limit': String(limit),
      'x-ratelimit-remaining': String(bucket.left),
      'x-ratelimit-reset': ((Date.now() + resetMs) / 1_000).toFixed(3),
      'x-ratelimit-reset-after': (resetMs / 1_000).toFixed(3),
    };
    const told = silent ? {} : headers;
    if (full) return refuse(response, told, resetMs / 1_000, false);
    if (stall) return void response.writeHead(200, { ...told, 'content-length': '1000' }).write('{');
    response.writeHead(status ?? 200, { ...told, 'content-type': 'application/json' });
    response.end(status === undefined ? BODY : '{"message":"no","code":0}');
  }

  const server = createServer((request, response) => {
    seen.total += 1;
    if (seen.at.length < 1_000) seen.at.push(performance.now());
    request.resume();
    const delay = latencyMs + Math.random() * jitterMs;
    if (delay > 0) setTimeout(answer, delay, request, response);
    else answer(request, response);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    seen,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
