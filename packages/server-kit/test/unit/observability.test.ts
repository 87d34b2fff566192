/** `/observability`: what log lines may hold, metrics, trace ids, spans. */
import { GuildkitError, Redacted } from '@guildkit/core';
import {
  createLogger,
  createMetrics,
  currentTraceId,
  type LoggerOptions,
  METRICS,
  newTraceId,
  observeHandler,
  runWithTrace,
  traceIdOf,
  withSpan,
} from '@guildkit/server-kit/observability';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joined, moved } from '../support/discord-events.js';

const BOT_TOKEN = 'MTIzNDU2Nzg5MDEyMzQ1Njc4OQ.GabcdE.abcdefghijklmnopqrstuvwxyz0123456789AB';
const SECRET = 'a webhook secret of many letters';

function keeping(options: LoggerOptions = {}) {
  const texts: string[] = [];
  const logger = createLogger({ level: 'debug', destination: { write: (line) => texts.push(line) }, ...options });
  return { logger, texts, lines: () => texts.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('createLogger', () => {
  it('writes one JSON object a line, level by name, fields and message', () => {
    const { logger, texts, lines } = keeping({ name: 'app' });
    logger.info({ userId: '42', n: 1 }, 'joined');
    expect(texts[0]?.endsWith('\n')).toBe(true);
    expect(lines()[0]).toMatchObject({ level: 'info', name: 'app', userId: '42', n: 1, msg: 'joined' });
  });

  it('honours the level, of the option or of LOG_LEVEL', () => {
    const { logger, texts } = keeping({ level: 'warn' });
    logger.info({}, 'no');
    logger.warn({}, 'yes');
    expect(texts).toHaveLength(1);
    const before = process.env.LOG_LEVEL;
    try {
      process.env.LOG_LEVEL = 'ERROR';
      expect(createLogger({ destination: { write: () => {} } }).level).toBe('error');
      process.env.LOG_LEVEL = 'loud';
      expect(createLogger({ destination: { write: () => {} } }).level).toBe('info');
    } finally {
      if (before === undefined) delete process.env.LOG_LEVEL;
      else process.env.LOG_LEVEL = before;
    }
  });

  it('lets no secret through: by key, by value, by look, in errors and deep inside', () => {
    const { logger, texts } = keeping({ secrets: [SECRET, new Redacted('another secret text')] });
    const jwt = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2lnbmF0dXJl';
    logger.info({ token: 'plain-1', headers: { Authorization: 'plain-2', cookie: 'plain-3' } }, 'by key');
    logger.info({ headers: new Headers({ authorization: 'plain-4', accept: 'a' }) }, 'by key of headers');
    logger.info({ accessToken: 'plain-5', client_secret: 'plain-6', refreshTokens: ['plain-7'] }, 'by key');
    logger.info({ note: `x ${SECRET} y`, list: [[{ deep: 'another secret text' }]] }, `message ${SECRET}`);
    logger.info({ a: jwt, b: `Bot ${BOT_TOKEN}`, c: BOT_TOKEN, d: 'Bearer abcdefghijk' }, `look ${jwt}`);
    logger.error({ err: new Error(`refused ${SECRET}`, { cause: new Error(jwt) }) }, 'error');
    logger.info({ wrapped: new Redacted('plain-8'), [SECRET]: 1 }, 'wrapped');
    const text = texts.join('');
    for (const secret of [SECRET, 'another secret text', jwt, BOT_TOKEN, 'abcdefghijk', 'plain-'])
      expect(text).not.toContain(secret);
    expect(texts).toHaveLength(7);
  });

  it('still shows counts and flags of that name', () => {
    const { logger, lines } = keeping();
    logger.info({ tokens: 3, hasToken: true, token: null }, 'bucket');
    expect(lines()[0]).toMatchObject({ tokens: 3, hasToken: true, token: null });
  });

  it('cannot be made to forge a line, by field, key, message or error', () => {
    const { logger, texts, lines } = keeping();
    const evil = 'x\n{"level":"error","msg":"forged"}\r\u001b[31m\u202e\u2028';
    logger.info({ name: evil, [evil]: 1, err: new Error(evil), list: [evil], map: new Map([[evil, evil]]) }, evil);
    expect(texts).toHaveLength(1);
    expect(texts[0]?.trimEnd()).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]|\\[nrtu]/);
    expect(lines()[0]?.level).toBe('info');
  });

  it('leaves format characters of a message alone', () => {
    const { logger, lines } = keeping();
    logger.info({ a: 1 }, '100 %d %s %o %%');
    expect(lines()[0]?.msg).toBe('100 %d %s %o %%');
  });

  it('writes a line whatever it is given, bounded', () => {
    const { logger, texts } = keeping();
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    const throwing = {
      get boom() {
        throw new Error('no');
      },
    };
    const strange: unknown[] = [
      circle,
      throwing,
      null,
      undefined,
      'text',
      5n,
      Symbol('s'),
      () => 1,
      new Error('slip'),
      [1],
      new Date(Number.NaN),
    ];
    for (const fields of strange) logger.info(fields as Record<string, unknown>, 'strange');
    logger.info(
      { huge: 'x'.repeat(10_000_000), many: Object.fromEntries(Array.from({ length: 9_999 }, (_, n) => [`k${n}`, n])) },
      'huge',
    );
    logger.info({ bytes: Buffer.alloc(9_999), items: Array(9_999).fill(1) }, 'y'.repeat(99_999));
    expect(texts).toHaveLength(strange.length + 2);
    for (const text of texts) expect(text.length).toBeLessThan(4_000);
    expect(texts[8]).toContain('"message":"slip"');
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withMap: true, withSet: true, withDate: true, withTypedArray: true }),
        fc.string(),
        (value, message) => {
          const before = texts.length;
          logger.warn({ value }, message);
          expect(texts.length).toBe(before + 1);
          expect(JSON.parse(texts.at(-1) as string).level).toBe('warn');
        },
      ),
    );
  });

  it('writes errors with code, cause and stack', () => {
    const { logger, lines } = keeping();
    const error = new GuildkitError('HubError', 'closed', { code: 'ERR_HUB_CLOSED', cause: new Error('inner') });
    logger.error({ err: error }, 'failed');
    expect(lines()[0]?.err).toMatchObject({
      type: 'HubError',
      message: 'closed',
      code: 'ERR_HUB_CLOSED',
      cause: { message: 'inner' },
    });
  });

  it('adds a child’s fields and the trace id', async () => {
    const { logger, lines } = keeping();
    const child = logger.child({ part: 'hub' }).child({ shard: 0 });
    await runWithTrace('trace-123456', async () => {
      await new Promise((resolve) => setImmediate(resolve));
      child.info({ n: 1 }, 'inside');
    });
    child.info({}, 'outside');
    expect(lines()[0]).toMatchObject({ part: 'hub', shard: 0, n: 1, traceId: 'trace-123456' });
    expect(lines()[1]).not.toHaveProperty('traceId');
  });
});

describe('trace ids', () => {
  it('follow what was started, and runs do not mix', async () => {
    const seen = await Promise.all(
      ['trace-aaaa', 'trace-bbbb'].map((id) =>
        runWithTrace(id, async () => {
          await new Promise((resolve) => setImmediate(resolve));
          return currentTraceId();
        }),
      ),
    );
    expect(seen).toEqual(['trace-aaaa', 'trace-bbbb']);
    expect(currentTraceId()).toBeUndefined();
  });

  it('are taken from a peer only when a log line can hold them', () => {
    const of = (headers: Record<string, string>) => traceIdOf(new Headers(headers));
    const id = '4bf92f3577b34da6a3ce929d0e0e4736';
    expect(of({ traceparent: `00-${id}-00f067aa0ba902b7-01` })).toBe(id);
    expect(of({ traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` })).toBeUndefined();
    expect(of({ traceparent: 'rubbish', 'x-request-id': 'request-0001' })).toBe('request-0001');
    expect(of({ 'x-request-id': 'a b' })).toBeUndefined();
    for (const bad of [undefined, '', 'short', 'x'.repeat(65), 'a\nb12345678']) {
      expect(runWithTrace(bad, currentTraceId)).toMatch(/^[0-9a-f]{32}$/);
    }
    expect(newTraceId()).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('createMetrics', () => {
  it('has every figure that R21 names, in Prometheus’ format', async () => {
    const metrics = createMetrics({ processMetrics: false });
    metrics.count('messages_total', { direction: 'out', type: 'event' }, 3);
    metrics.set('connections', { transport: 'ws' }, 7);
    metrics.observe('command_seconds', { command: 'sendMessage', outcome: 'ok' }, 0.02);
    const text = await metrics.text();
    expect(text).toContain('guildkit_messages_total{direction="out",type="event"} 3');
    expect(text).toContain('guildkit_connections{transport="ws"} 7');
    expect(text).toContain('guildkit_command_seconds_bucket{le="0.025",command="sendMessage",outcome="ok"} 1');
    for (const name of Object.keys(METRICS)) expect(text).toContain(`# HELP guildkit_${name} `);
  });

  it('counts Discord’s events, voice churn and delay', async () => {
    const clock = createVirtualClock();
    const metrics = createMetrics({ processMetrics: false, clock });
    const at = { ts: clock.wallTime() - 20 };
    const { countDomainEvent } = metrics;
    countDomainEvent({ ...joined('7', '10'), ...at });
    countDomainEvent({ ...moved('7', '10', '11'), ...at });
    const text = await metrics.text();
    expect(text).toContain('guildkit_discord_events_total{event="voice.joined"} 1');
    expect(text).toContain('guildkit_voice_changes_total{change="moved"} 1');
    expect(text).toContain('guildkit_discord_event_delay_seconds_bucket{le="0.025"} 2');
  });

  it('serves the page, with a token when one is set, and collects before', async () => {
    const metrics = createMetrics({ token: 'a token of the scraper' });
    metrics.onCollect(() => metrics.set('queue_depth', { queue: 'webhooks' }, 5));
    const remove = metrics.onCollect(() => {
      throw new Error('no');
    });
    const get = (headers: Record<string, string>, method = 'GET') =>
      metrics.handler(new Request('http://127.0.0.1/metrics', { headers, method }));
    expect((await get({})).status).toBe(401);
    expect((await get({ authorization: 'Bearer a token of the scrape' })).status).toBe(401);
    expect((await get({}, 'POST')).status).toBe(405);
    const page = await get({ authorization: 'Bearer a token of the scraper' });
    expect(page.headers.get('content-type')).toMatch(/^text\/plain/);
    const text = await page.text();
    expect(text).toContain('guildkit_queue_depth{queue="webhooks"} 5');
    expect(text).toContain('process_resident_memory_bytes');
    remove();
  });

  it('bounds what labels can cost', async () => {
    const metrics = createMetrics({ processMetrics: false, maxSeries: 3 });
    for (let n = 0; n < 50; n += 1) metrics.count('refusals_total', { code: `code ${n}\n} 1\nforged ` });
    metrics.count('refusals_total', { code: 'x'.repeat(9_999) });
    metrics.count('refusals_total', { code: 'a' }, Number.NaN);
    metrics.count('refusals_total', { code: 'a' }, -1);
    const text = await metrics.text();
    expect(text.match(/^guildkit_refusals_total\{/gm)).toHaveLength(4);
    expect(text).toContain('guildkit_refusals_total{code="other"} 48');
    expect(text).not.toMatch(/^forged/m);
  });
});

describe('spans and handlers', () => {
  it('runs a handler under its trace id, in a span, timed by route', async () => {
    const clock = createVirtualClock();
    const metrics = createMetrics({ processMetrics: false });
    const spans: unknown[] = [];
    const handler = observeHandler(
      async (_request, extra: string) => {
        await clock.advance(30);
        return new Response(`${currentTraceId()} ${extra}`);
      },
      {
        route: '/api/rooms/:id',
        metrics,
        clock,
        startSpan: (name, attributes) => {
          spans.push([name, attributes['http.route']]);
          return (error) => spans.push(['end', error]);
        },
      },
    );
    const answer = await handler(
      new Request('http://127.0.0.1/api/rooms/5', { headers: { 'x-request-id': 'request-0001' } }),
      'more',
    );
    expect(await answer.text()).toBe('request-0001 more');
    expect(spans).toEqual([
      ['GET /api/rooms/:id', '/api/rooms/:id'],
      ['end', undefined],
    ]);
    expect(await metrics.text()).toContain(
      'http_request_seconds_sum{method="GET",route="/api/rooms/:id",status="200"} 0.03',
    );
  });

  it('passes results and errors on, whatever the tracer does', async () => {
    const ended: unknown[] = [];
    const failure = new Error('of the work');
    const start = () => (error?: unknown) => {
      ended.push(error);
      throw new Error('of the tracer');
    };
    expect(await withSpan(start, 'a', {}, () => 5)).toBe(5);
    await expect(withSpan(start, 'a', {}, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(ended).toEqual([undefined, failure]);
    const broken = () => {
      throw new Error('of the tracer');
    };
    expect(await withSpan(broken, 'a', {}, () => 5)).toBe(5);
    expect(await withSpan(undefined, 'a', {}, () => 5)).toBe(5);
  });
});
