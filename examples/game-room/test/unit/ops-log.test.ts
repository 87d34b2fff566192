import { Redacted, silentLogger } from '@guildkit/core';
import { runWithTrace } from '@guildkit/server-kit/observability';
import { describe, expect, test, vi } from 'vitest';
import { createAppLogger } from '../../src/server/logger.js';
import { createOpsLog, withoutPlaces } from '../../src/server/ops-log.js';
import { parseMetrics, quantileOf, sumOf } from '../../src/server/prometheus.js';

const SECRET = 'a-secret-that-no-operator-may-see';

function start() {
  const log = createOpsLog({
    deep: [{ token: new Redacted(SECRET) }],
    jwt: new Redacted({ d: 'private-part-of-a-key' }),
  });
  return { log, logger: log.follow(silentLogger) };
}

test('the log itself has the trace ids that operators see', () => {
  const written = vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
  try {
    const logger = createAppLogger('info', true);
    runWithTrace('trace-0003', () => logger.info({}, 'by the request'));
    runWithTrace('trace-0003', () => logger.info({ traceId: 'trace-0004' }, 'by the line'));
    logger.info({}, 'by nobody');
    const lines = written.mock.calls.map(([line]) => String(line).replace(/^\S+ /, ''));
    expect(lines).toEqual([
      'info  by the request  traceId=trace-0003\n',
      'info  by the line  traceId=trace-0004\n',
      'info  by nobody\n',
    ]);
  } finally {
    written.mockRestore();
  }
});

describe('what operators see of the log', () => {
  test('are warnings and errors, the newest first, with their trace ids', () => {
    const { log, logger } = start();
    logger.info({}, 'nothing of interest');
    logger.warn({ traceId: 'trace-1', code: 'ERR_X', attempt: 2 }, 'tried again');
    runWithTrace('trace-0002', () => logger.error({ err: Object.assign(new Error('gone'), { code: 'E1' }) }, 'failed'));
    expect(log.recent()).toEqual([
      {
        id: 2,
        at: expect.any(Number),
        level: 'error',
        message: 'failed',
        traceId: 'trace-0002',
        fields: [{ name: 'err', value: 'E1: gone' }],
      },
      {
        id: 1,
        at: expect.any(Number),
        level: 'warn',
        message: 'tried again',
        traceId: 'trace-1',
        fields: [
          { name: 'code', value: 'ERR_X' },
          { name: 'attempt', value: '2' },
        ],
      },
    ]);
  });

  test('go on to the log itself', () => {
    const heard: string[] = [];
    const note = (_: object, message: string) => void heard.push(message);
    const logger = createOpsLog({}).follow({ debug: note, info: note, warn: note, error: note });
    logger.debug({}, 'a');
    logger.info({}, 'b');
    logger.warn({}, 'c');
    logger.error({}, 'd');
    expect(heard).toEqual(['a', 'b', 'c', 'd']);
  });

  test('are bounded in number', () => {
    const { log, logger } = start();
    for (let count = 1; count <= 250; count += 1) logger.warn({}, `line ${count}`);
    expect(log.recent()).toHaveLength(100);
    expect(log.recent()[0]?.message).toBe('line 250');
  });

  test('hold no secret, no control character, no address, no path, no stack', () => {
    const { log, logger } = start();
    logger.error(
      {
        reason: `the server at 10.1.2.3:6379 said\u001b[31m ${SECRET}`,
        token: 'abcdefgh',
        key: 'private-part-of-a-key',
        url: 'https://inside.example/x',
        err: new Error("ENOENT: no such file, open '/srv/app/settings.json'"),
      },
      'connect ECONNREFUSED ::1:5432\nforged line',
    );
    const text = JSON.stringify(log.recent());
    for (const gone of [
      SECRET,
      'private-part',
      'abcdefgh',
      '10.1.2.3',
      '6379',
      'inside.example',
      '/srv',
      '::1',
      '\\u001b',
      '\\n',
      '.ts',
    ])
      expect(text, gone).not.toContain(gone);
    expect(text).toContain('ECONNREFUSED');
    expect(text).toContain('ENOENT');
  });

  test.each([
    ['connect ECONNREFUSED 127.0.0.1:6379', 'connect ECONNREFUSED [address]'],
    ['getaddrinfo ENOTFOUND redis.internal', 'getaddrinfo ENOTFOUND [address]'],
    ['redis://user:pass@cache:6379/0 is away', '[address] is away'],
    ['no answer of cache:6379', 'no answer of [address]'],
    ['no answer of db.example.org:80', 'no answer of [address]'],
    ['[fe80::1]:80 and ::1 and 2001:db8::7', '[address] and [address] and [address]'],
    ["open '/home/x/state/session.json'", "open '[path]'"],
    ['open C:\\app\\state.json', 'open [path]'],
    ['GET /channels/:id/messages failed with 503', 'GET /channels/:id/messages failed with 503'],
    ['at 12:34:56 after 3 tries: closed with 4004', 'at 12:34:56 after 3 tries: closed with 4004'],
    ['ERR_LINK_CLOSED: try again in 2.5 s', 'ERR_LINK_CLOSED: try again in 2.5 s'],
  ])('%j is shown as %j', (text, shown) => {
    expect(withoutPlaces(text)).toBe(shown);
  });
});

describe('a page for Prometheus', () => {
  const page = parseMetrics(`# HELP x Of something.
x_total{a="1",b="say \\"hi\\""} 2
x_total{a="2",b="c"} 3
plain 1.5e3
h_bucket{le="0.1"} 10
h_bucket{le="0.5"} 19
h_bucket{le="+Inf"} 20
h_sum 4
h_count 20
not a sample at all`);

  test('is read by name and label', () => {
    expect(sumOf(page, 'x_total')).toBe(5);
    expect(sumOf(page, 'x_total', { a: '2' })).toBe(3);
    expect(sumOf(page, 'x_total', { b: 'say \\"hi\\"' })).toBe(2);
    expect(sumOf(page, 'plain')).toBe(1500);
    expect(sumOf(page, 'nothing')).toBe(0);
  });

  test('gives shares of a histogram', () => {
    expect(quantileOf(page, 'h', 0.5)).toBeCloseTo(0.1);
    expect(quantileOf(page, 'h', 0.25)).toBeCloseTo(0.05);
    expect(quantileOf(page, 'h', 0.95)).toBeCloseTo(0.5);
    expect(quantileOf(page, 'h', 1), 'above the last bound').toBe(0.5);
    expect(quantileOf(page, 'x_total', 0.5)).toBeUndefined();
  });
});
