/** `/http`: errors as answers, JSON, origins, headers, health. */
import { readdirSync, readFileSync } from 'node:fs';
import { GuildkitError } from '@guildkit/core';
import {
  createHandler,
  createHealthHandler,
  type ErrorBody,
  HTTP_ERRORS,
  HttpError,
  type HttpErrorCode,
  jsonResponse,
  readJson,
  requestIdOf,
  SECURITY_HEADERS,
  toErrorResponse,
  toRefusal,
  toSafeJson,
} from '@guildkit/server-kit/http';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod/mini';
import { statusOfCode } from '../../src/http/status-table.js';
import { keepingLogger } from '../support/log-lines.js';

const ORIGIN = 'https://app.example';
const bodyOf = async (response: Response): Promise<ErrorBody['error']> => ((await response.json()) as ErrorBody).error;
const post = (body: BodyInit | null, headers: Record<string, string> = {}): Request =>
  new Request(`${ORIGIN}/api`, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });

/** Every code that stands in an `errors.ts` of the workspace. */
function allCodes(): string[] {
  const packages = new URL('../../../', import.meta.url);
  const files = readdirSync(packages).flatMap((name) => {
    const src = new URL(`${name}/src/`, packages);
    return readdirSync(src, { recursive: true, encoding: 'utf8' })
      .filter((path) => /(^|\/)errors\.ts$/.test(path))
      .map((path) => new URL(path, src));
  });
  const codes = files.flatMap((file) => readFileSync(file, 'utf8').match(/\bERR_[A-Z][A-Z0-9_]+\b/g) ?? []);
  return [...new Set(codes)].filter((code) => code.split('_').length > 2);
}

describe('toErrorResponse', () => {
  it('knows a status for every code that reaches a server', () => {
    const served = allCodes().filter((code) => !/^ERR_(SANDBOX|REALTIME|RTP)_/.test(code));
    expect(served.length).toBeGreaterThan(60);
    expect(served.filter((code) => statusOfCode(code) === undefined)).toEqual([]);
  });

  it.each<[GuildkitError, number]>([
    [new GuildkitError('JwtError', 'The token has expired.', { code: 'ERR_JWT_TOKEN_EXPIRED' }), 401],
    [new GuildkitError('JwtError', 'x', { code: 'ERR_JWT_JWKS_UNAVAILABLE' }), 502],
    [new GuildkitError('HubError', 'x', { code: 'ERR_HUB_ROOM_FORBIDDEN' }), 403],
    [new GuildkitError('RateLimitError', 'x', { code: 'ERR_REST_RATE_LIMIT_EXCEEDED' }), 429],
    [new GuildkitError('NetworkError', 'x', { code: 'ERR_REST_NETWORK_FAILED' }), 502],
    [new GuildkitError('GatewayError', 'x', { code: 'ERR_GATEWAY_SEND_TIMEOUT' }), 502],
    [new GuildkitError('GatewayError', 'x', { code: 'ERR_GATEWAY_SEND_QUEUE_FULL' }), 503],
    [new GuildkitError('RoomError', 'x', { code: 'ERR_ROOM_FULL' }), 409],
    [new GuildkitError('New', 'x', { code: 'ERR_SOMETHING_ELSE' }), 500],
    [Object.assign(new GuildkitError('A', 'x', { code: 'ERR_REST_REQUEST_REFUSED' }), { status: 404 }), 404],
    [Object.assign(new GuildkitError('A', 'x', { code: 'ERR_REST_REQUEST_REFUSED' }), { status: 403 }), 502],
  ])('%s', async (error, status) => {
    const response = toErrorResponse(error, { requestId: 'request-1' });
    expect(response.status).toBe(status);
    expect(await bodyOf(response)).toMatchObject({ requestId: 'request-1', code: error.code });
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(response.headers.get('x-request-id')).toBe('request-1');
  });

  it('gives every code of its own the status that R17 names', () => {
    const wanted: Record<HttpErrorCode, number> = {
      ERR_HTTP_INPUT_INVALID: 400,
      ERR_HTTP_BODY_MALFORMED: 400,
      ERR_HTTP_BODY_TYPE: 415,
      ERR_HTTP_BODY_TOO_LARGE: 413,
      ERR_HTTP_BODY_UNREADABLE: 400,
      ERR_HTTP_AUTH_REQUIRED: 401,
      ERR_HTTP_FORBIDDEN: 403,
      ERR_HTTP_ORIGIN_FORBIDDEN: 403,
      ERR_HTTP_NOT_FOUND: 404,
      ERR_HTTP_METHOD_UNKNOWN: 405,
      ERR_HTTP_CONFLICT: 409,
      ERR_HTTP_RATE_LIMITED: 429,
      ERR_HTTP_UPSTREAM_FAILED: 502,
      ERR_HTTP_UNAVAILABLE: 503,
      ERR_HTTP_INTERNAL: 500,
    };
    const codes = Object.keys(HTTP_ERRORS) as HttpErrorCode[];
    expect(Object.fromEntries(codes.map((code) => [code, toRefusal(new HttpError(code)).status]))).toEqual(wanted);
  });

  it('says nothing of the inside, and logs it under the request id', async () => {
    const logger = keepingLogger();
    const secrets = [
      new Error('connect ECONNREFUSED 10.1.2.3:5432'),
      new GuildkitError('NetworkError', 'connect 10.1.2.3', { code: 'ERR_REST_NETWORK_FAILED' }),
      new GuildkitError('JwtError', 'keys: 10.1.2.3', { code: 'ERR_JWT_JWKS_UNAVAILABLE' }),
      new GuildkitError('Api', 'DELETE /channels/:id on 10.1.2.3', { code: 'ERR_REST_INPUT_INVALID' }),
      'thrown 10.1.2.3',
      null,
      undefined,
      new Proxy(new GuildkitError('P', '10.1.2.3', { code: 'ERR_HTTP_CONFLICT' }), {
        get: (target, key) => {
          if (key === 'code') throw new Error('10.1.2.3');
          return Reflect.get(target, key);
        },
      }),
    ];
    for (const thrown of secrets) {
      const response = toErrorResponse(thrown, { requestId: 'request-7', logger });
      expect(await response.text()).not.toContain('10.1.2.3');
    }
    expect(logger.of('error').every(({ fields }) => fields.requestId === 'request-7')).toBe(true);
    expect(logger.of('error').length).toBe(secrets.length - 1);
  });

  it('names the fields that zod found wrong', async () => {
    const result = z.object({ name: z.string(), seats: z.array(z.int()) }).safeParse({ name: 1, seats: [1, 'x'] });
    const error = await bodyOf(toErrorResponse(result.error));
    expect(error.code).toBe('ERR_HTTP_INPUT_INVALID');
    expect(error.fields?.map(({ path }) => path)).toEqual(['name', 'seats.1']);
  });

  it('tells when to come back, rounded up', async () => {
    const response = toErrorResponse(new HttpError('ERR_HTTP_RATE_LIMITED', { retryAfterMs: 1_200 }));
    expect(response.headers.get('retry-after')).toBe('2');
    expect((await bodyOf(response)).retryAfterMs).toBe(1_200);
  });

  it('never throws and never says more than a status may, whatever is thrown', async () => {
    await fc.assert(
      fc.asyncProperty(fc.anything(), async (thrown) => {
        const response = toErrorResponse(thrown);
        expect(response.status).toBeGreaterThanOrEqual(400);
        expect(await bodyOf(response)).toMatchObject({ code: expect.any(String), message: expect.any(String) });
      }),
      { numRuns: 300 },
    );
  });
});

describe('request ids', () => {
  it('takes a peer’s id only when a log line can hold it', () => {
    const idOf = (id: string) => requestIdOf(new Request(ORIGIN, { headers: { 'x-request-id': id } }));
    expect(idOf('0123456789abcdef')).toBe('0123456789abcdef');
    for (const bad of [
      'short',
      'a'.repeat(129),
      'abcdefgh ijkl',
      '"><script>alert(1)',
      'id\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9',
      '-abcdefgh',
    ]) {
      expect(idOf(bad)).toMatch(/^[0-9a-f-]{36}$/);
    }
  });
});

describe('readJson', () => {
  const codeOf = async (request: Request, options = {}): Promise<unknown> =>
    readJson(request, options).then(
      (value) => ({ value }),
      (error: HttpError) => error.code,
    );

  it('reads and checks', async () => {
    const schema = z.object({ name: z.string() });
    expect(await readJson(post('{"name":"a"}'), { schema })).toEqual({ name: 'a' });
    const refused = await readJson(post('{"name":1}'), { schema }).catch((error: unknown) => error);
    expect(HttpError.is(refused) && refused.fields?.[0]?.path).toBe('name');
    expect(await readJson(post('[]', { 'content-type': 'application/problem+json; charset=utf-8' }))).toEqual([]);
  });

  it('refuses what is no JSON, not JSON’s type, or too much', async () => {
    expect(await codeOf(post('{'))).toBe('ERR_HTTP_BODY_MALFORMED');
    expect(await codeOf(post(''))).toBe('ERR_HTTP_BODY_MALFORMED');
    expect(await codeOf(post(new Uint8Array([0x22, 0xff, 0x22])))).toBe('ERR_HTTP_BODY_MALFORMED');
    expect(await codeOf(post('{}', { 'content-type': 'text/plain' }))).toBe('ERR_HTTP_BODY_TYPE');
    expect(await codeOf(post('{}', { 'content-type': 'application/jsonp' }))).toBe('ERR_HTTP_BODY_TYPE');
    expect(await codeOf(post('"12345678"'), { maxBytes: 9 })).toBe('ERR_HTTP_BODY_TOO_LARGE');
    expect(await codeOf(post('"1234567"'), { maxBytes: 9 })).toEqual({ value: '1234567' });
    expect(await codeOf(post('{}', { 'content-length': '1000000' }))).toBe('ERR_HTTP_BODY_TOO_LARGE');
    const read = post('{}');
    await read.text();
    expect(await codeOf(read)).toBe('ERR_HTTP_BODY_UNREADABLE');
  });

  it('counts a body that says nothing of its length, and reads past no more than a little of it', async () => {
    let pulled = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      cancel() {
        cancelled = true;
      },
      pull(controller) {
        pulled += 1;
        controller.enqueue(new Uint8Array(1_024).fill(0x20));
      },
    });
    const request = new Request(ORIGIN, {
      method: 'POST',
      body: endless,
      duplex: 'half',
      headers: { 'content-type': 'application/json' },
    } as RequestInit);
    expect(await codeOf(request, { maxBytes: 10_240 })).toBe('ERR_HTTP_BODY_TOO_LARGE');
    // A mebibyte, so that the peer gets to read the answer.
    await vi.waitFor(() => expect(cancelled).toBe(true));
    expect(pulled).toBeLessThan(1_100);
  });

  it('lets nobody name a prototype', async () => {
    const value = (await readJson(post('{"a":{"__proto__":{"admin":true},"b":1}}'))) as { a: Record<string, unknown> };
    expect(value).toEqual({ a: { b: 1 } });
    expect(Object.assign({}, value.a).admin).toBeUndefined();
  });

  it('writes JSON that a script element can hold and that parses to the same', () => {
    expect(toSafeJson({ a: '</script>' })).toBe('{"a":"\\u003c/script\\u003e"}');
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = toSafeJson(value);
        expect(text).not.toMatch(/[<>&\u2028\u2029]/);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe('createHandler', () => {
  const logger = keepingLogger();
  const handler = createHandler(
    async (request, { requestId }) => {
      if (request.url.endsWith('/fails')) throw new Error('inside');
      return jsonResponse({ requestId });
    },
    { origins: [ORIGIN], logger, maxBodyBytes: 100 },
  );

  it('adds request id, security headers and the headers of the one origin', async () => {
    const response = await handler(
      new Request(`${ORIGIN}/x`, { headers: { origin: ORIGIN, 'x-request-id': 'abcdefgh-1' } }),
    );
    expect(await response.json()).toEqual({ requestId: 'abcdefgh-1' });
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) expect(response.headers.get(name)).toBe(value);
    expect(response.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    expect(response.headers.get('vary')).toBe('Origin');
    const foreign = await handler(new Request(`${ORIGIN}/x`, { headers: { origin: 'https://evil.example' } }));
    expect(foreign.status).toBe(200);
    expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
  });

  it('keeps foreign pages from changing anything', async () => {
    for (const origin of ['https://evil.example', 'null', 'https://app.example.evil.example', 'http://app.example']) {
      const response = await handler(new Request(`${ORIGIN}/x`, { method: 'POST', headers: { origin } }));
      expect(response.status).toBe(403);
      expect((await bodyOf(response)).code).toBe('ERR_HTTP_ORIGIN_FORBIDDEN');
    }
    expect(logger.of('warn').length).toBe(4);
    expect((await handler(new Request(`${ORIGIN}/x`, { method: 'POST', headers: { origin: ORIGIN } }))).status).toBe(
      200,
    );
  });

  it('answers preflights', async () => {
    const preflight = (origin: string) =>
      handler(
        new Request(`${ORIGIN}/x`, {
          method: 'OPTIONS',
          headers: { origin, 'access-control-request-method': 'POST' },
        }),
      );
    const allowed = await preflight(ORIGIN);
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-methods')).toContain('POST');
    expect(allowed.headers.get('access-control-allow-credentials')).toBe('true');
    expect((await preflight('https://evil.example')).status).toBe(403);
  });

  it('refuses a body that is announced too large before anything reads it', async () => {
    const response = await handler(post('x', { origin: ORIGIN, 'content-length': '101' }));
    expect(response.status).toBe(413);
  });

  it('turns what is thrown into an answer, logged without the query', async () => {
    const response = await handler(new Request(`${ORIGIN}/fails`));
    expect(response.status).toBe(500);
    expect(logger.of('error')[0]?.fields).toMatchObject({ method: 'GET', path: '/fails', status: 500 });
    await handler(new Request(`${ORIGIN}/x?code=secret-code`));
    expect(JSON.stringify(logger.lines)).not.toContain('secret-code');
  });

  it('copies answers that cannot be changed', async () => {
    const redirecting = createHandler(() => Response.redirect(`${ORIGIN}/there`, 302));
    const response = await redirecting(new Request(ORIGIN));
    expect(response.status).toBe(302);
    expect(response.headers.get('location')).toBe(`${ORIGIN}/there`);
    expect(response.headers.get('x-frame-options')).toBe('DENY');
  });

  it('refuses origins that no browser sends', () => {
    for (const origin of ['https://app.example/', 'app.example', '*']) {
      expect(() => createHandler(async () => new Response(), { origins: [origin] })).toThrow(TypeError);
    }
  });
});

describe('health', () => {
  it('says whether all is well, and why not to the log alone', async () => {
    const logger = keepingLogger();
    const clock = createVirtualClock();
    let up = true;
    const health = createHealthHandler({
      logger,
      clock,
      checks: {
        gateway: () => ({ ok: up, latencyMs: 20 }),
        database: () => {
          if (!up) throw new Error('10.1.2.3 refused');
          return true;
        },
        stuck: () => (up ? true : new Promise<boolean>(() => {})),
      },
    });
    const well = await health(new Request(`${ORIGIN}/health`));
    expect(well.status).toBe(200);
    expect(await well.json()).toEqual({
      ok: true,
      checks: { gateway: { ok: true, latencyMs: 20 }, database: { ok: true }, stuck: { ok: true } },
    });
    up = false;
    const answer = health(new Request(`${ORIGIN}/health`));
    await clock.advance(2_000);
    const ill = await answer;
    expect(ill.status).toBe(503);
    const text = await ill.text();
    expect(JSON.parse(text)).toMatchObject({ ok: false, checks: { database: { ok: false }, stuck: { ok: false } } });
    expect(text).not.toContain('10.1.2.3');
    expect(
      logger
        .of('warn')
        .map(({ fields }) => fields.check)
        .sort(),
    ).toEqual(['database', 'stuck']);
    expect(clock.pending).toBe(0);
    expect((await health(new Request(`${ORIGIN}/health`, { method: 'POST' }))).status).toBe(405);
  });
});
