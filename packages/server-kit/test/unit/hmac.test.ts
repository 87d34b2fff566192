/** `/hmac`: signatures, verdicts, the receiver, and attacks on both. */
import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import {
  createWebhookReceiver,
  type HmacErrorCode,
  memoryReplayStore,
  signWebhook,
  verifyWebhook,
  type WebhookReceiverOptions,
} from '@guildkit/server-kit/hmac';
import { createVirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { joined, snapshot } from '../support/discord-events.js';
import { keepingLogger } from '../support/log-lines.js';

const SECRET = 'the first secret of sixteen letters';
const OLD = 'the former secret of sixteen letters';
const clock = createVirtualClock();
const NOW = Math.floor(clock.wallTime() / 1000);
const BODY = Buffer.from('{"hello":"wörld"}');

describe('signWebhook and verifyWebhook', () => {
  const signed = (options: { timestamp?: number; secrets?: string } = {}) =>
    signWebhook(BODY, { secrets: SECRET, timestamp: NOW, ...options });
  const codeOf = async (headers: Record<string, string | string[]>, body: Uint8Array | string = BODY) => {
    const verdict = await verifyWebhook({ body, headers, secrets: `${SECRET},${OLD}`, clock });
    return verdict.ok ? 'ok' : verdict.code;
  };

  it('makes the documented headers', () => {
    const mac = createHmac('sha256', SECRET).update(`${NOW}.`).update(BODY).digest('hex');
    expect(signed()).toEqual({ 'x-hub-timestamp': String(NOW), 'x-hub-signature': `sha256=${mac}` });
  });

  it('takes what any of the secrets signed; the first one signs', async () => {
    expect(await codeOf(signed())).toBe('ok');
    expect(await codeOf(signed({ secrets: OLD }))).toBe('ok');
    expect(signed({ secrets: `${SECRET}, ${OLD}` })).toEqual(signed());
    expect(await codeOf(signed({ secrets: 'a secret of nobody at all' }))).toBe('ERR_HMAC_SIGNATURE_MISMATCH');
  });

  it('takes sixty seconds either way and no more', async () => {
    for (const skew of [-60, -59, 0, 60]) expect(await codeOf(signed({ timestamp: NOW + skew }))).toBe('ok');
    for (const skew of [-3600, -61, 61, 3600]) {
      expect(await codeOf(signed({ timestamp: NOW + skew }))).toBe('ERR_HMAC_TIMESTAMP_SKEWED');
    }
  });

  it('refuses a body that was altered, in any byte', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 64 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (bytes, at, by) => {
          const headers = signWebhook(bytes, { secrets: SECRET, timestamp: NOW });
          expect((await verifyWebhook({ body: bytes, headers, secrets: SECRET, clock })).ok).toBe(true);
          const altered = Uint8Array.from(bytes);
          altered[at % bytes.length] = (altered[at % bytes.length] as number) ^ by;
          expect((await verifyWebhook({ body: altered, headers, secrets: SECRET, clock })).ok).toBe(false);
          const longer = Uint8Array.from([...bytes, by]);
          expect((await verifyWebhook({ body: longer, headers, secrets: SECRET, clock })).ok).toBe(false);
        },
      ),
    );
  });

  it('refuses a signature that is moved to another time', async () => {
    expect(await codeOf({ ...signed(), 'x-hub-timestamp': String(NOW + 1) })).toBe('ERR_HMAC_SIGNATURE_MISMATCH');
    // `<ts>.<body>`: digits may not wander over the dot.
    const headers = signWebhook('5.x', { secrets: SECRET, timestamp: NOW });
    expect(await codeOf(headers, '5.x')).toBe('ok');
    expect(await codeOf({ ...headers, 'x-hub-timestamp': `${NOW}.5` }, 'x')).toBe('ERR_HMAC_HEADERS_MALFORMED');
  });

  it.each<[string, Record<string, string | string[]>, HmacErrorCode]>([
    ['none', {}, 'ERR_HMAC_HEADERS_MISSING'],
    ['only the time', { 'x-hub-timestamp': String(NOW) }, 'ERR_HMAC_HEADERS_MISSING'],
    ['base64', { 'x-hub-signature': `sha256=${Buffer.alloc(32).toString('base64')}` }, 'ERR_HMAC_HEADERS_MALFORMED'],
    ['no prefix', { 'x-hub-signature': '0'.repeat(64) }, 'ERR_HMAC_HEADERS_MALFORMED'],
    ['another hash', { 'x-hub-signature': `sha1=${'0'.repeat(64)}` }, 'ERR_HMAC_HEADERS_MALFORMED'],
    ['too short', { 'x-hub-signature': `sha256=${'0'.repeat(62)}` }, 'ERR_HMAC_HEADERS_MALFORMED'],
    [
      'two of them',
      { 'x-hub-signature': [`sha256=${'0'.repeat(64)}`, signed()['x-hub-signature'] as string] },
      'ERR_HMAC_HEADERS_MALFORMED',
    ],
    [
      'two in one',
      { 'x-hub-signature': `sha256=${'0'.repeat(64)}, ${signed()['x-hub-signature']}` },
      'ERR_HMAC_HEADERS_MALFORMED',
    ],
    ['two times', { 'x-hub-timestamp': `${NOW}, ${NOW}` }, 'ERR_HMAC_HEADERS_MALFORMED'],
    ['a signed time', { 'x-hub-timestamp': `+${NOW}` }, 'ERR_HMAC_HEADERS_MALFORMED'],
    ['a hexadecimal time', { 'x-hub-timestamp': '0x69559f80' }, 'ERR_HMAC_HEADERS_MALFORMED'],
    ['a time with an exponent', { 'x-hub-timestamp': '1e9' }, 'ERR_HMAC_HEADERS_MALFORMED'],
    ['a time in ms', { 'x-hub-timestamp': String(NOW * 1000) }, 'ERR_HMAC_HEADERS_MALFORMED'],
    ['an endless time', { 'x-hub-timestamp': '9'.repeat(400) }, 'ERR_HMAC_HEADERS_MALFORMED'],
    ['no number', { 'x-hub-timestamp': 'NaN' }, 'ERR_HMAC_HEADERS_MALFORMED'],
  ])('refuses headers: %s', async (_, change, code) => {
    expect(
      await codeOf(
        Object.keys(change).length < 1 || code === 'ERR_HMAC_HEADERS_MISSING' ? change : { ...signed(), ...change },
      ),
    ).toBe(code);
  });

  it('never throws, whatever the headers are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), async (timestamp, signature) => {
        const headers = { 'x-hub-timestamp': timestamp, 'x-hub-signature': signature };
        expect((await verifyWebhook({ body: BODY, headers, secrets: SECRET, clock })).ok).toBe(false);
      }),
    );
  });

  it('refuses what came before, spelled however', async () => {
    const replayStore = memoryReplayStore({ clock });
    const verify = (headers: Readonly<Record<string, string>>) =>
      verifyWebhook({ body: BODY, headers, secrets: SECRET, clock, replayStore });
    expect((await verify(signed())).ok).toBe(true);
    expect(await verify(signed())).toEqual({ ok: false, code: 'ERR_HMAC_SIGNATURE_REPLAYED' });
    const upper = (signed()['x-hub-signature'] as string).replace(/[a-f]/g, (letter) => letter.toUpperCase());
    expect(await verify({ ...signed(), 'x-hub-signature': upper })).toEqual({
      ok: false,
      code: 'ERR_HMAC_SIGNATURE_REPLAYED',
    });
    expect((await verify(signed({ timestamp: NOW + 1 }))).ok).toBe(true);
  });

  it('refuses secrets that can be guessed', () => {
    for (const secrets of ['', 'short', `${SECRET},short`, [] as string[], undefined as never]) {
      expect(() => signWebhook(BODY, { secrets })).toThrow(TypeError);
    }
  });
});

describe('Standard Webhooks', () => {
  const secret = `whsec_${Buffer.from('thirty-two bytes of secret, here').toString('base64')}`;
  // The other library reads the machine's clock.
  const timestamp = Math.floor(Date.now() / 1000);
  const library = new Webhook(secret);

  it('is verified by the standardwebhooks package', () => {
    const headers = signWebhook(BODY, { secrets: secret, form: 'standard', id: 'msg_1', timestamp });
    expect(library.verify(BODY, { ...headers })).toEqual({ hello: 'wörld' });
    expect(() => library.verify('{}', { ...headers })).toThrow();
  });

  it('verifies what the standardwebhooks package signs', async () => {
    const at = new Date(timestamp * 1000);
    const signature = library.sign('msg_2', at, BODY.toString('utf8'));
    const verify = (value: string, id = 'msg_2') =>
      verifyWebhook({
        body: BODY,
        headers: { 'webhook-id': id, 'webhook-timestamp': String(timestamp), 'webhook-signature': value },
        secrets: secret,
        form: 'standard',
      });
    expect(await verify(signature)).toEqual({ ok: true, timestamp, id: 'msg_2' });
    expect((await verify(`v1a,xyz v1,${Buffer.alloc(32).toString('base64')} ${signature}`)).ok).toBe(true);
    expect(await verify(signature, 'msg_3')).toEqual({ ok: false, code: 'ERR_HMAC_SIGNATURE_MISMATCH' });
    expect(await verify('v2,abc')).toEqual({ ok: false, code: 'ERR_HMAC_HEADERS_MALFORMED' });
  });

  it('needs an id', () => {
    expect(() => signWebhook(BODY, { secrets: secret, form: 'standard' })).toThrow(TypeError);
  });
});

describe('receiver', () => {
  const subject = (options: Partial<WebhookReceiverOptions> = {}) => {
    const logger = keepingLogger();
    const taken: string[] = [];
    const receiver = createWebhookReceiver({
      secrets: SECRET,
      clock,
      logger,
      onEvent: (event) => {
        taken.push(event.id);
      },
      ...options,
    });
    return { receiver, logger, taken };
  };
  const bodyOf = (id: string, event: object = joined('7', '10')) =>
    JSON.stringify({ ...event, id, epoch: 'e', seq: 1 });
  let ticks = NOW;
  const post = (body: string | Uint8Array, headers?: Readonly<Record<string, string>>) => {
    ticks += 0.001;
    const signed = headers ?? signWebhook(body, { secrets: SECRET, timestamp: Math.floor(ticks) });
    return new Request('https://app.example/api/hub', { method: 'POST', body: body as BodyInit, headers: signed });
  };

  it('takes an event, answers with its boot id, and answers a known id with 200', async () => {
    const { receiver, taken } = subject();
    const first = await receiver.handler(post(bodyOf('a')));
    expect([first.status, first.headers.get('x-hub-boot')]).toEqual([200, receiver.bootId]);
    const again = await receiver.handler(post(bodyOf('a', { ...joined('7', '10'), ts: 6 })));
    expect(again.status).toBe(200);
    expect(taken).toEqual(['a']);
    expect(receiver.stats()).toMatchObject({ accepted: 1, duplicates: 1, refused: {} });
  });

  it('takes attempts that overlap once', async () => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    let calls = 0;
    const { receiver } = subject({
      onEvent: async () => {
        calls += 1;
        await gate;
      },
    });
    const answers = [
      receiver.handler(post(bodyOf('a'))),
      receiver.handler(post(bodyOf('a', { ...joined('7', '10'), ts: 9 }))),
    ];
    open();
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200]);
    expect(calls).toBe(1);
    expect(receiver.stats()).toMatchObject({ accepted: 1, duplicates: 1 });
  });

  it('asks for another try when the event could not be taken, and takes it then', async () => {
    const outcomes: unknown[] = [new Error('10.1.2.3 down'), 'failed', 'published'];
    const { receiver, logger } = subject({
      onEvent: () => {
        const outcome = outcomes.shift();
        if (outcome instanceof Error) throw outcome;
        return outcome;
      },
    });
    const send = (seq: number) =>
      receiver.handler(post(JSON.stringify({ ...joined('7', '10'), id: 'a', epoch: 'e', seq })));
    const first = await send(1);
    expect(first.status).toBe(503);
    expect(await first.text()).not.toContain('10.1.2.3');
    expect((await send(2)).status).toBe(503);
    expect((await send(3)).status).toBe(200);
    expect(receiver.stats()).toMatchObject({ accepted: 1, failed: 2, duplicates: 0 });
    expect(logger.of('error')).toHaveLength(2);
  });

  it('sets aside what the sink calls invalid', async () => {
    const { receiver } = subject({ onEvent: () => 'invalid' });
    expect((await receiver.handler(post(bodyOf('a')))).status).toBe(400);
  });

  it('answers a ping without an event', async () => {
    const { receiver, taken } = subject();
    const ping = { id: 'p', event: 'hub.ping', payload: {}, ts: 1, epoch: 'e', seq: 0, traceId: 'p' };
    expect((await receiver.handler(post(JSON.stringify(ping)))).status).toBe(200);
    expect(taken).toEqual([]);
    expect(receiver.stats().pings).toBe(1);
  });

  it('tells callers nothing of why, and the log and the counters everything', async () => {
    const { receiver, logger, taken } = subject();
    const body = bodyOf('a');
    const good = signWebhook(body, { secrets: SECRET, timestamp: NOW });
    const attacks: [HmacErrorCode, Request][] = [
      ['ERR_HMAC_HEADERS_MISSING', post(body, {})],
      ['ERR_HMAC_HEADERS_MALFORMED', post(body, { ...good, 'x-hub-signature': 'sha256=zz' })],
      ['ERR_HMAC_TIMESTAMP_SKEWED', post(body, signWebhook(body, { secrets: SECRET, timestamp: NOW - 61 }))],
      ['ERR_HMAC_SIGNATURE_MISMATCH', post(`${body} `, good)],
      ['ERR_HMAC_SIGNATURE_REPLAYED', post(body, good)],
    ];
    expect((await receiver.handler(post(body, good))).status).toBe(200);
    const answers: string[] = [];
    for (const [code, request] of attacks) {
      const response = await receiver.handler(request);
      expect(response.status, code).toBe(401);
      answers.push((await response.text()).replace(/"requestId":"[^"]*"/, ''));
      expect(receiver.stats().refused[code]).toBe(1);
    }
    expect(new Set(answers).size).toBe(1);
    expect(logger.of('warn').map(({ fields }) => fields.code)).toEqual(attacks.map(([code]) => code));
    expect(taken).toEqual(['a']);
    expect(inspect(receiver, { depth: 9 }) + JSON.stringify(logger.lines)).not.toContain(SECRET);
  });

  it('refuses bodies that are too large or no event, and other methods', async () => {
    const { receiver } = subject({ maxBodyBytes: 1_000 });
    expect((await receiver.handler(post('x'.repeat(1_001)))).status).toBe(413);
    for (const body of ['', 'null', '[]', '{"id":1}', '{', bodyOf('')]) {
      expect((await receiver.handler(post(body))).status, body).toBe(400);
    }
    expect((await receiver.handler(new Request('https://app.example/api/hub'))).status).toBe(405);
    expect(receiver.stats().refused).toEqual({ ERR_HMAC_BODY_TOO_LARGE: 1, ERR_HMAC_BODY_MALFORMED: 6 });
  });

  it('takes nothing that a later snapshot has told already', async () => {
    const { receiver, taken } = subject();
    const send = (id: string, epoch: string, seq: number, ts: number, event: object) =>
      receiver.handler(post(JSON.stringify({ ...event, id, epoch, seq, ts })));
    await send('a', 'old', 1, 10, joined('7', '10'));
    await send('b', 'old', 3, 30, snapshot([]));
    // Under way since before the snapshot.
    expect((await send('c', 'old', 2, 20, joined('8', '10'))).status).toBe(200);
    await send('d', 'new', 1, 50, snapshot([]));
    // Of the worker before: its request outlived it.
    await send('e', 'old', 4, 60, joined('9', '10'));
    // Of a worker that this process never heard before.
    await send('f', 'older', 9, 40, joined('9', '10'));
    await send('g', 'new', 2, 55, joined('9', '10'));
    await send('h', 'old', 5, 70, joined('9', '10', '2'));
    await send('i', 'next', 1, 80, joined('9', '10'));
    expect(taken).toEqual(['a', 'b', 'd', 'g', 'h', 'i']);
    expect(receiver.stats()).toMatchObject({ accepted: 6, late: 3, refused: {} });
  });

  it('answers whatever is signed, and never rejects', async () => {
    const { receiver } = subject();
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 99 }),
          fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
        ),
        async (body) => {
          expect([400, 401]).toContain((await receiver.handler(post(body))).status);
        },
      ),
    );
  });

  it('takes nothing that it cannot remember', async () => {
    const { receiver, taken } = subject({ replayStore: memoryReplayStore({ clock, maxEntries: 1 }) });
    await receiver.handler(post(bodyOf('a')));
    expect((await receiver.handler(post(bodyOf('b')))).status).toBe(503);
    expect(taken).toEqual(['a']);
  });

  it('keeps control characters of a peer out of the log', async () => {
    const { receiver, logger } = subject();
    await receiver.handler(post(bodyOf('a\nfake line\u202e', { ...joined('7', '10'), traceId: 't\r\nlevel=error' })));
    expect(JSON.stringify(logger.lines)).not.toMatch(/\\n|\\r|\u202e/);
  });
});
