import { createUndiciTransport } from '/tmp/rp/ut.mjs';

const t = createUndiciTransport({ maxConnections: 64 });
export const make = (origin) => ({
  async request(method, route) {
    const c = new AbortController();
    const r = await t.send({
      method,
      origin,
      path: '/api/v10' + route,
      headers: { authorization: 'Bot MTIz.bench.token', 'user-agent': 'DiscordBot (https://example.com, 1)' },
      body: undefined,
      signal: process.env.NOAC ? { aborted: false, addEventListener() {} } : c.signal,
      maxBytes: 1e6,
    });
    return JSON.parse(await r.text());
  },
});
