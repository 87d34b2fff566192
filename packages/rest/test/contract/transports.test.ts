/** One suite that every transport passes, through the client, on real sockets; and msw under the `fetch` one. */
import { DiscordRestClient } from '@guildkit/rest';
import { HttpResponse, http } from 'msw';
import { setupServer } from 'msw/node';
import { ProxyAgent } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createFakeDiscord, type FakeDiscord } from '../support/fake-discord.js';

const CHANNEL = '/channels/100000000000000002';

describe.each(['undici', 'fetch'] as const)('transport %s', (transport) => {
  let discord: FakeDiscord;
  let rest: DiscordRestClient;
  beforeEach(async () => {
    discord = await createFakeDiscord();
    rest = new DiscordRestClient({
      token: 'a-token',
      apiBase: discord.apiBase,
      transport,
      random: () => 0,
      maxRetries: 1,
      maxResponseBytes: 10_000,
    });
  });
  afterEach(async () => {
    await rest.close();
    await discord[Symbol.asyncDispose]();
  });

  test('sends method, path, headers and JSON, and reads JSON', async () => {
    discord.handle = () => ({ body: { ok: 'ünïcödé 🎲' } });
    expect(await rest.request('POST', `${CHANNEL}/messages`, { body: { content: 'é' } })).toEqual({ ok: 'ünïcödé 🎲' });
    const [seen] = discord.seen;
    expect(seen).toMatchObject({ method: 'POST', url: `/api/v10${CHANNEL}/messages`, body: '{"content":"é"}' });
    expect(seen?.headers).toMatchObject({ authorization: 'Bot a-token', 'content-type': 'application/json' });
    expect(seen?.headers['user-agent']).toMatch(/^DiscordBot \(/);
  });

  test('204 has no value', async () => {
    discord.handle = () => ({ status: 204 });
    expect(await rest.request('DELETE', CHANNEL)).toBeUndefined();
  });

  test('files go as multipart, payload_json first, and again on a retry', async () => {
    discord.handle = () => ({ status: discord.seen.length === 1 ? 503 : 200, body: {} });
    const data = Uint8Array.from({ length: 256 }, (_, n) => n);
    const files = [
      { name: 'a "quoted"\r\nname.bin', data, contentType: 'image/png' },
      { name: 'b.txt', data: 'text' },
    ];
    await rest.request('POST', `${CHANNEL}/messages`, { body: { content: 'hi' }, files, repeatable: true });
    expect(discord.seen).toHaveLength(2);
    const [first, second] = discord.seen;
    expect(second?.raw.equals(first?.raw ?? Buffer.alloc(0))).toBe(true);
    const type = second?.headers['content-type'] ?? '';
    // Node's own parser, as an independent reader of the form.
    const form = await new Response(new Uint8Array(second?.raw ?? []), {
      headers: { 'content-type': type },
    }).formData();
    expect([...form.keys()]).toEqual(['payload_json', 'files[0]', 'files[1]']);
    const file = form.get('files[0]') as File;
    expect(file.name).toBe('a "quoted"\r\nname.bin');
    expect(file.type).toBe('image/png');
    expect(new Uint8Array(await file.arrayBuffer())).toEqual(data);
    expect(form.get('payload_json')).toBe('{"content":"hi"}');
  });

  test('a form body, basic and bearer authorization, and none', async () => {
    const form = { grant_type: 'refresh_token', refresh_token: 'a b&c', scope: undefined };
    await rest.request('POST', '/oauth2/token', { form, auth: { basic: { id: '1', secret: 'two' } } });
    await rest.request('GET', '/users/@me', { auth: { bearer: 'access' } });
    await rest.request('POST', '/webhooks/100000000000000001/hook-token', { body: {}, auth: 'none' });
    expect(discord.seen.map(({ headers }) => headers.authorization)).toEqual([
      `Basic ${Buffer.from('1:two').toString('base64')}`,
      'Bearer access',
      undefined,
    ]);
    expect(discord.seen[0]).toMatchObject({ body: 'grant_type=refresh_token&refresh_token=a+b%26c' });
    expect(discord.seen[0]?.headers['content-type']).toBe('application/x-www-form-urlencoded');
  });

  test('a redirect is not followed: it would carry the token away', async () => {
    discord.handle = () => ({ status: 302, headers: { location: `${discord.apiBase}/elsewhere` } });
    await expect(rest.request('GET', CHANNEL)).rejects.toMatchObject({ code: 'ERR_REST_REQUEST_REFUSED', status: 302 });
    expect(discord.seen).toHaveLength(1);
  });

  test('a reset is a NetworkError, a refused connection too', async () => {
    discord.handle = (_request, { req }) => {
      req.socket.resetAndDestroy();
      return undefined;
    };
    await expect(rest.request('GET', CHANNEL)).rejects.toMatchObject({ code: 'ERR_REST_NETWORK_FAILED', attempts: 2 });
    await discord[Symbol.asyncDispose]();
    await expect(rest.request('POST', CHANNEL)).rejects.toMatchObject({ systemCode: 'ECONNREFUSED', attempts: 2 });
  });

  test('a body that breaks off is a NetworkError', async () => {
    discord.handle = (_request, { res }) => {
      res.writeHead(200, { 'content-length': '100' });
      res.write('{"a":');
      setImmediate(() => res.destroy());
      return undefined;
    };
    await expect(rest.request('POST', CHANNEL)).rejects.toMatchObject({ code: 'ERR_REST_NETWORK_FAILED', attempts: 1 });
  });

  test('an answer that is too large is refused, and the next one read', async () => {
    discord.handle = () => ({ body: 'x'.repeat(20_000) });
    await expect(rest.request('GET', CHANNEL)).rejects.toMatchObject({ code: 'ERR_REST_RESPONSE_OVERSIZED' });
    discord.handle = () => ({ body: { ok: true } });
    expect(await rest.request('GET', CHANNEL)).toEqual({ ok: true });
  });

  test('an abort and a deadline end a stalled body', async () => {
    const stalled = new Promise<void>((resolve) => {
      discord.handle = (_request, { res }) => {
        res.writeHead(200, { 'content-length': '100' });
        res.write('{');
        resolve();
        return undefined;
      };
    });
    const controller = new AbortController();
    const first = rest.request('GET', CHANNEL, { signal: controller.signal });
    const refused = expect(first).rejects.toMatchObject({ code: 'ERR_REST_REQUEST_ABORTED' });
    await stalled;
    controller.abort();
    await refused;
    await expect(rest.request('GET', CHANNEL, { timeoutMs: 100 })).rejects.toMatchObject({
      code: 'ERR_REST_REQUEST_TIMEOUT',
    });
  });
});

describe('fetch under msw', () => {
  const server = setupServer(
    http.get('https://discord.com/api/v10/users/@me', ({ request }) =>
      HttpResponse.json({
        agent: request.headers.get('user-agent'),
        authorization: request.headers.get('authorization'),
      }),
    ),
    http.patch('https://discord.com/api/v10/channels/:id', () =>
      HttpResponse.json(
        { code: 50_013, message: 'Missing Permissions' },
        { status: 403, headers: { 'x-ratelimit-bucket': 'abc', 'cf-ray': 'ray-1' } },
      ),
    ),
  );

  test('the default base is Discord’s, answers and errors come through', async () => {
    server.listen({ onUnhandledFrame: 'error' });
    const rest = new DiscordRestClient({ token: 'a-token', transport: 'fetch' });
    try {
      expect(await rest.request('GET', '/users/@me')).toMatchObject({ authorization: 'Bot a-token' });
      await expect(rest.request('PATCH', '/channels/1', { body: {} })).rejects.toMatchObject({
        status: 403,
        discordCode: 50_013,
        requestId: 'ray-1',
      });
    } finally {
      await rest.close();
      server.close();
    }
  });
});

describe('undici options', () => {
  test('a dispatcher is used and left open', async () => {
    const discord = await createFakeDiscord(() => ({ body: { direct: true } }));
    // A proxy on a closed port: that the request fails there shows that it went through it.
    const dispatcher = new ProxyAgent({ uri: 'http://127.0.0.1:9' });
    const rest = new DiscordRestClient({ token: 'a-token', apiBase: discord.apiBase, dispatcher, maxRetries: 0 });
    await expect(rest.request('GET', CHANNEL)).rejects.toMatchObject({ code: 'ERR_REST_NETWORK_FAILED' });
    await rest.close();
    expect(discord.seen).toHaveLength(0);
    expect((dispatcher as unknown as { closed: boolean }).closed).toBe(false);
    await dispatcher.close();
    await discord[Symbol.asyncDispose]();
  });

  test('what is no transport is refused', () => {
    expect(() => new DiscordRestClient({ transport: 'axios' as never })).toThrow(/"transport" must be/);
    expect(() => new DiscordRestClient({ dispatcher: {} as never })).toThrow(/"dispatcher" must be/);
  });
});

describe('response schema', () => {
  test('shapes the answer, or names the failure', async () => {
    const discord = await createFakeDiscord(() => ({ body: { id: '1', more: true } }));
    const rest = new DiscordRestClient({ token: 'a-token', apiBase: discord.apiBase });
    const schema = {
      parse(value: unknown) {
        const { id } = value as { id: unknown };
        if (id !== '1') throw new Error('not 1');
        return { id };
      },
    };
    expect(await rest.getChannel('1', { schema })).toEqual({ id: '1' });
    discord.handle = () => ({ body: { id: 2 } });
    await expect(rest.getChannel('1', { schema })).rejects.toMatchObject({ code: 'ERR_REST_RESPONSE_MALFORMED' });
    await rest.close();
    await discord[Symbol.asyncDispose]();
  });
});
