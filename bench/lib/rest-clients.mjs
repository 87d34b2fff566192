// The REST clients that are compared, behind one face: `request(method, route, { body, signal })` resolves with the
// parsed answer. Each is configured as its documentation says, with its own defaults where an option does not say more.

const TOKEN = 'MTIz.bench.token';
const ignore = () => {};
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore, fatal: ignore };

/**
 * @typedef {object} Options
 * @property {string} origin Where the server is.
 * @property {number} [globalPerSecond] The bot's global limit; a client that has no such option ignores it.
 * @property {number} [timeoutMs] Deadline of an attempt, or of the request where the client has only that.
 * @property {(event: object) => void} [onRateLimited] Called on the client's own event about a 429.
 */

/** Makers by name. Modules are loaded when they are used: each client is measured in a process of its own. */
export const REST_CLIENTS = {
  async guildkit({ origin, globalPerSecond = 1_000_000, timeoutMs, onRateLimited }) {
    const { DiscordRestClient } = await import('@guildkit/rest');
    const rest = new DiscordRestClient({
      token: TOKEN,
      apiBase: `${origin}/api/v10`,
      globalRequestsPerSecond: globalPerSecond,
      requestTimeoutMs: timeoutMs,
    });
    if (onRateLimited !== undefined) rest.on('rateLimited', (event) => event.kind === 'hit' && onRateLimited(event));
    return {
      request: (method, route, options) => rest.request(method, route, options),
      buckets: () => rest.stats().buckets,
    };
  },

  async discordjs({ origin, globalPerSecond = Number.POSITIVE_INFINITY, timeoutMs, onRateLimited }) {
    const { REST } = await import('@discordjs/rest');
    const rest = new REST({
      api: `${origin}/api`,
      globalRequestsPerSecond: globalPerSecond,
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    }).setToken(TOKEN);
    if (onRateLimited !== undefined) rest.on('rateLimited', onRateLimited);
    return {
      request: (method, fullRoute, { body, signal } = {}) => rest.request({ method, fullRoute, body, signal }),
      buckets: () => rest.handlers.size,
    };
  },

  async discordeno({ origin, timeoutMs }) {
    const { createRestManager } = await import('@discordeno/rest');
    const rest = createRestManager({ token: TOKEN, applicationId: 1n, logger: SILENT });
    // Its `proxy` option turns its own limiter off: only the base is changed.
    rest.baseUrl = `${origin}/api`;
    rest.isProxied = false;
    if (timeoutMs !== undefined) rest.requestTimeout = timeoutMs;
    return {
      request: (method, route, { body } = {}) => rest.makeRequest(method, route, body === undefined ? {} : { body }),
      buckets: () => rest.queues.size + rest.rateLimitedPaths.size,
    };
  },

  async oceanic({ origin, timeoutMs }) {
    const { Client } = await import('oceanic.js');
    const client = new Client({
      auth: `Bot ${TOKEN}`,
      rest: { baseURL: `${origin}/api/v10`, ...(timeoutMs === undefined ? {} : { requestTimeout: timeoutMs }) },
    });
    client.on('error', ignore);
    return {
      request: (method, path, { body } = {}) => client.rest.handler.request({ method, path, json: body, auth: true }),
      buckets: () => Object.keys(client.rest.handler.ratelimits).length,
    };
  },

  async seyfert({ origin, onRateLimited }) {
    const { ApiHandler } = await import('seyfert');
    const rest = new ApiHandler({ token: TOKEN, domain: origin });
    if (onRateLimited !== undefined) rest.onRatelimit = onRateLimited;
    return {
      request: (method, route, { body } = {}) => rest.request(method, route, body === undefined ? {} : { body }),
      buckets: () => rest.ratelimits.size,
    };
  },

  /** No limits, no retries: what HTTP alone costs. */
  async undici({ origin }) {
    const { Agent, request } = await import('undici');
    const dispatcher = new Agent();
    const headers = { authorization: `Bot ${TOKEN}`, 'user-agent': 'DiscordBot (https://example.com, 1)' };
    return {
      async request(method, route, { body, signal } = {}) {
        const answer = await request(`${origin}/api/v10${route}`, {
          method,
          dispatcher,
          signal,
          headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
          body: body === undefined ? null : JSON.stringify(body),
        });
        return answer.body.json();
      },
      buckets: () => 0,
    };
  },

  async fetch({ origin }) {
    const headers = { authorization: `Bot ${TOKEN}`, 'user-agent': 'DiscordBot (https://example.com, 1)' };
    return {
      async request(method, route, { body, signal } = {}) {
        const answer = await fetch(`${origin}/api/v10${route}`, {
          method,
          signal,
          headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
          body: body === undefined ? undefined : JSON.stringify(body),
        });
        return answer.json();
      },
      buckets: () => 0,
    };
  },
};

/** A channel's id. */
export const channel = (n) => String(900_000_000_000_000_000n + BigInt(n));

/** Calls `each(n)` for n from 0 to `count`, as many at once as `width` says. */
export async function pooled(count, width, each) {
  let next = 0;
  const lane = async () => {
    while (next < count) await each(next++);
  };
  await Promise.all(Array.from({ length: width }, lane));
}
