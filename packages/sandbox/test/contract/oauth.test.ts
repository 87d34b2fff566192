import { createHash } from 'node:crypto';
import { createSandbox, type Sandbox } from '@guildkit/sandbox';
import { createVirtualClock } from '@guildkit/testkit';
import { describe, expect, test } from 'vitest';
import { call, RawClient } from '../support/gateway-client.js';

const REDIRECT = 'http://127.0.0.1:3000/auth/callback';
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
/** RFC 7636, appendix B. */
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

function authorizeUrl(sandbox: Sandbox, more: Record<string, string | undefined> = {}): string {
  const params: Record<string, string | undefined> = {
    client_id: sandbox.oauth.clientId,
    redirect_uri: REDIRECT,
    response_type: 'code',
    scope: 'identify guilds.join',
    state: 's t&te',
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    ...more,
  };
  const kept = Object.entries(params).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return `${sandbox.oauth.authorizeUrl}?${new URLSearchParams(kept)}`;
}

async function post(url: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    body: new URLSearchParams(fields),
    headers,
    redirect: 'manual',
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined };
}

const credentials = ({ oauth }: Sandbox) => ({ client_id: oauth.clientId, client_secret: oauth.clientSecret });

async function login(sandbox: Sandbox, personId: string, scope = 'identify guilds.join') {
  const back = new URL(sandbox.oauth.approve(authorizeUrl(sandbox, { scope }), { id: personId }));
  const answer = await post(sandbox.oauth.tokenUrl, {
    ...credentials(sandbox),
    grant_type: 'authorization_code',
    code: back.searchParams.get('code') ?? '',
    redirect_uri: REDIRECT,
    code_verifier: VERIFIER,
  });
  expect(answer.status).toBe(200);
  return answer.body as { access_token: string; refresh_token: string; scope: string; expires_in: number };
}

const bearer = (token: string) => ({ token: null, headers: { authorization: `Bearer ${token}` } });

test('the challenge of the RFC’s example', () => {
  expect(createHash('sha256').update(VERIFIER).digest('base64url')).toBe(CHALLENGE);
});

describe('the page', () => {
  test('lists people, and its form leads back with a code and the state', async () => {
    await using sandbox = await createSandbox();
    const anna = await sandbox.people.create({ name: '<b>anna</b>' });
    await sandbox.people.create({ name: 'bela', member: false });
    const response = await fetch(authorizeUrl(sandbox));
    const html = await response.text();
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(response.headers.get('content-security-policy')).toContain("form-action 'self' http://127.0.0.1:3000");
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(html).toContain('&lt;b&gt;anna&lt;/b&gt;');
    expect(html).not.toContain('<b>anna');
    expect(html).not.toContain('owner');
    expect(html).toContain('not in the server');
    const hidden = Object.fromEntries(
      [...html.matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [
        name ?? '',
        (value ?? '').replaceAll('&amp;', '&'),
      ]),
    );
    const action = new URL(/action="([^"]+)"/.exec(html)?.[1] ?? '', sandbox.oauth.authorizeUrl).href;
    const agreed = await post(action, { ...hidden, user_id: anna.id, decision: 'approve' });
    expect(agreed.status).toBe(302);
    const back = new URL(agreed.headers.get('location') ?? '');
    expect(back.origin + back.pathname).toBe(REDIRECT);
    expect(back.searchParams.get('state')).toBe('s t&te');
    expect(back.searchParams.get('code')).toMatch(/^\w{30}$/);
    const denied = await post(action, { ...hidden, decision: 'deny' });
    const params = new URL(denied.headers.get('location') ?? '').searchParams;
    expect([params.get('error'), params.get('state')]).toEqual(['access_denied', 's t&te']);
    const nobody = await post(action, { ...hidden, user_id: sandbox.oauth.clientId, decision: 'approve' });
    expect(nobody.status).toBe(200);
  });

  test('says when there is nobody', async () => {
    await using sandbox = await createSandbox();
    const html = await (await fetch(authorizeUrl(sandbox))).text();
    expect(html).toContain('There is nobody yet');
    expect(html).not.toContain('value="approve"');
  });

  test.each<[string, Record<string, string | undefined>]>([
    ['an unknown application', { client_id: '1' }],
    ['no redirect address', { redirect_uri: undefined }],
    ['an address elsewhere', { redirect_uri: 'https://evil.test/callback' }],
    ['an address that only looks local', { redirect_uri: 'http://127.0.0.1.evil.test/' }],
    ['an address with a user', { redirect_uri: 'http://127.0.0.1:3000@evil.test/' }],
    ['a script', { redirect_uri: 'javascript:alert(1)' }],
    ['a fragment', { redirect_uri: `${REDIRECT}#x` }],
  ])('never leads to where it cannot trust: %s', async (_name, more) => {
    await using sandbox = await createSandbox();
    const response = await fetch(authorizeUrl(sandbox, more), { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([400, null]);
    expect(await response.text()).toContain('role="alert"');
    expect(() => sandbox.oauth.deny(authorizeUrl(sandbox, more))).toThrow();
  });

  test.each<[string, Record<string, string | undefined>, string]>([
    ['another response type', { response_type: 'token' }, 'unsupported_response_type'],
    ['no scope', { scope: undefined }, 'invalid_scope'],
    ['an unknown scope', { scope: 'identify rule.the.world' }, 'invalid_scope'],
    ['plain PKCE', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['PKCE without method', { code_challenge_method: undefined }, 'invalid_request'],
    ['a challenge that is none', { code_challenge: 'x' }, 'invalid_request'],
  ])('sends the application its errors: %s', async (_name, more, error) => {
    await using sandbox = await createSandbox();
    const response = await fetch(authorizeUrl(sandbox, more), { redirect: 'manual' });
    expect(response.status).toBe(302);
    const back = new URL(response.headers.get('location') ?? '');
    expect([back.searchParams.get('error'), back.searchParams.get('state')]).toEqual([error, 's t&te']);
  });

  test('registered addresses are exact, and then the only ones', async () => {
    await using sandbox = await createSandbox();
    const anna = await sandbox.people.create({ name: 'anna' });
    sandbox.oauth.setRedirectUris(['https://app.example/cb?x=1']);
    const status = async (uri: string) =>
      (await fetch(authorizeUrl(sandbox, { redirect_uri: uri }), { redirect: 'manual' })).status;
    expect(await status('https://app.example/cb?x=1')).toBe(200);
    expect(await status('https://app.example/cb')).toBe(400);
    expect(await status(REDIRECT)).toBe(400);
    const back = sandbox.oauth.approve(authorizeUrl(sandbox, { redirect_uri: 'https://app.example/cb?x=1' }), anna);
    expect(back).toMatch(/^https:\/\/app\.example\/cb\?x=1&code=\w+&state=s%20t%26te$/);
    expect(() => sandbox.oauth.setRedirectUris(['ftp://x'])).toThrow(TypeError);
    expect(() => sandbox.oauth.setRedirectUris(['http://x/#y'])).toThrow(TypeError);
  });

  test('prompt=none passes by who agreed before', async () => {
    await using sandbox = await createSandbox();
    const anna = await sandbox.people.create({ name: 'anna' });
    const silent = { prompt: 'none', login_hint: anna.id };
    const status = async (more: Record<string, string>) =>
      (await fetch(authorizeUrl(sandbox, more), { redirect: 'manual' })).status;
    expect(await status(silent)).toBe(200);
    await login(sandbox, anna.id);
    expect(await status(silent)).toBe(302);
    expect(await status({ ...silent, scope: 'identify email' })).toBe(200);
  });
});

describe('tokens', () => {
  test('stand for a person, with their scopes', async () => {
    await using sandbox = await createSandbox();
    const anna = await sandbox.people.create({ name: 'anna' });
    const tokens = await login(sandbox, anna.id);
    expect(tokens).toMatchObject({ token_type: 'Bearer', expires_in: 604_800, scope: 'identify guilds.join' });
    const me = await call(sandbox, 'GET', '/users/@me', bearer(tokens.access_token));
    expect(me.body).toMatchObject({ id: anna.id, username: 'anna', email: null });
    const about = await call(sandbox, 'GET', '/oauth2/@me', bearer(tokens.access_token));
    expect(about.body).toMatchObject({
      application: { id: sandbox.oauth.clientId },
      scopes: ['identify', 'guilds.join'],
      user: { id: anna.id },
    });
    expect((await call(sandbox, 'GET', '/users/@me/guilds', bearer(tokens.access_token))).status).toBe(403);
    expect((await call(sandbox, 'GET', '/gateway/bot', bearer(tokens.access_token))).status).toBe(401);
    expect((await call(sandbox, 'GET', '/oauth2/@me')).status).toBe(401);
    const wide = await login(sandbox, anna.id, 'identify email guilds guilds.members.read');
    expect((await call(sandbox, 'GET', '/users/@me', bearer(wide.access_token))).body.email).toContain('@');
    expect((await call(sandbox, 'GET', '/users/@me/guilds', bearer(wide.access_token))).body).toMatchObject([
      { id: sandbox.guildId, owner: false },
    ]);
    const member = `/users/@me/guilds/${sandbox.guildId}/member`;
    expect((await call(sandbox, 'GET', member, bearer(wide.access_token))).body.user.id).toBe(anna.id);
    expect(JSON.stringify(sandbox.traffic.recent)).not.toContain(wide.access_token);
  });

  test('a refresh token works once and gives the next', async () => {
    await using sandbox = await createSandbox();
    const anna = await sandbox.people.create({ name: 'anna' });
    const first = await login(sandbox, anna.id);
    const refresh = (token: string) =>
      post(sandbox.oauth.tokenUrl, { ...credentials(sandbox), grant_type: 'refresh_token', refresh_token: token });
    const second = await refresh(first.refresh_token);
    expect(second.body).toMatchObject({ scope: 'identify guilds.join' });
    expect(second.body.refresh_token).not.toBe(first.refresh_token);
    expect(second.headers.get('cache-control')).toBe('no-store');
    expect(await refresh(first.refresh_token)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    expect((await call(sandbox, 'GET', '/users/@me', bearer(first.access_token))).status).toBe(401);
    expect((await call(sandbox, 'GET', '/users/@me', bearer(second.body.access_token))).status).toBe(200);
  });

  test('expire after seven days', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock });
    const anna = await sandbox.people.create({ name: 'anna' });
    const { access_token: token } = await login(sandbox, anna.id);
    await clock.advance(604_799_000);
    expect((await call(sandbox, 'GET', '/users/@me', bearer(token))).status).toBe(200);
    await clock.advance(1_000);
    expect((await call(sandbox, 'GET', '/users/@me', bearer(token))).status).toBe(401);
  });

  test('are revoked by either of the two, all of one person’s', async () => {
    await using sandbox = await createSandbox();
    const anna = await sandbox.people.create({ name: 'anna' });
    const bela = await sandbox.people.create({ name: 'bela' });
    const [one, two, other] = [
      await login(sandbox, anna.id),
      await login(sandbox, anna.id),
      await login(sandbox, bela.id),
    ];
    const revoke = (token: string, basic: string) =>
      post(sandbox.oauth.revokeUrl, { token }, { authorization: `Basic ${Buffer.from(basic).toString('base64')}` });
    const { clientId, clientSecret } = sandbox.oauth;
    expect(await revoke(one.refresh_token, `${clientId}:wrong`)).toMatchObject({
      status: 401,
      body: { error: 'invalid_client' },
    });
    expect(await revoke('nothing', `${clientId}:${clientSecret}`)).toMatchObject({ status: 200, body: {} });
    expect((await revoke(one.refresh_token, `${clientId}:${clientSecret}`)).status).toBe(200);
    const statuses = await Promise.all(
      [one, two, other].map(
        async ({ access_token: token }) => (await call(sandbox, 'GET', '/users/@me', bearer(token))).status,
      ),
    );
    expect(statuses).toEqual([401, 401, 200]);
  });

  test.each<[string, (fields: Record<string, string>, sandbox: Sandbox) => Record<string, string>, number, string]>([
    ['a wrong secret', (fields) => ({ ...fields, client_secret: 'x' }), 401, 'invalid_client'],
    ['no client', ({ client_id: _, ...fields }) => fields, 401, 'invalid_client'],
    ['no grant type', ({ grant_type: _, ...fields }) => fields, 400, 'invalid_request'],
    ['another grant type', (fields) => ({ ...fields, grant_type: 'password' }), 400, 'unsupported_grant_type'],
    ['no code', ({ code: _, ...fields }) => fields, 400, 'invalid_request'],
    ['another code', (fields) => ({ ...fields, code: 'x' }), 400, 'invalid_grant'],
    ['another redirect address', (fields) => ({ ...fields, redirect_uri: `${REDIRECT}/x` }), 400, 'invalid_grant'],
    ['another verifier', (fields) => ({ ...fields, code_verifier: 'x'.repeat(43) }), 400, 'invalid_grant'],
    ['a short verifier', (fields) => ({ ...fields, code_verifier: 'x' }), 400, 'invalid_grant'],
    ['no verifier', ({ code_verifier: _, ...fields }) => fields, 400, 'invalid_grant'],
  ])('%s is refused as RFC 6749 says', async (_name, change, status, error) => {
    await using sandbox = await createSandbox();
    const anna = await sandbox.people.create({ name: 'anna' });
    const code = new URL(sandbox.oauth.approve(authorizeUrl(sandbox), anna)).searchParams.get('code') ?? '';
    const fields = {
      ...credentials(sandbox),
      grant_type: 'authorization_code',
      code,
      redirect_uri: REDIRECT,
      code_verifier: VERIFIER,
    };
    const answer = await post(sandbox.oauth.tokenUrl, change(fields, sandbox));
    expect(answer).toMatchObject({ status, body: { error, error_description: expect.any(String) } });
  });

  test('a code works once; presenting it again ends what came of it', async () => {
    const clock = createVirtualClock();
    await using sandbox = await createSandbox({ clock });
    const anna = await sandbox.people.create({ name: 'anna' });
    const codeFor = () => new URL(sandbox.oauth.approve(authorizeUrl(sandbox), anna)).searchParams.get('code') ?? '';
    const exchange = (code: string) =>
      post(sandbox.oauth.tokenUrl, {
        ...credentials(sandbox),
        grant_type: 'authorization_code',
        code,
        redirect_uri: REDIRECT,
        code_verifier: VERIFIER,
      });
    const code = codeFor();
    const { body } = await exchange(code);
    expect((await exchange(code)).body.error).toBe('invalid_grant');
    expect((await call(sandbox, 'GET', '/users/@me', bearer(body.access_token))).status).toBe(401);
    const late = codeFor();
    await clock.advance(600_000);
    expect((await exchange(late)).body.error).toBe('invalid_grant');
  });

  test('belong to one application', async () => {
    await using sandbox = await createSandbox();
    const anna = await sandbox.people.create({ name: 'anna' });
    const other = await sandbox.bots.create({ name: 'other' });
    const tokens = await login(sandbox, anna.id);
    const mine = { client_id: other.id, client_secret: other.clientSecret };
    const stolen = { ...mine, grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    expect((await post(sandbox.oauth.tokenUrl, stolen)).body.error).toBe('invalid_grant');
    await post(sandbox.oauth.revokeUrl, { ...mine, token: tokens.access_token });
    expect((await call(sandbox, 'GET', '/users/@me', bearer(tokens.access_token))).status).toBe(200);
  });
});

describe('guilds.join', () => {
  test('a bot adds who logged in', async () => {
    await using sandbox = await createSandbox();
    const client = await RawClient.identified(sandbox, { intents: 3 });
    const anna = await sandbox.people.create({ name: 'anna', member: false });
    const { accessToken } = sandbox.oauth.tokensFor(anna);
    const put = (body: unknown, init = {}) =>
      call(sandbox, 'PUT', `/guilds/${sandbox.guildId}/members/${anna.id}`, { body, ...init });
    const added = await put({ access_token: accessToken, nick: 'Annie', mute: true });
    expect(added).toMatchObject({ status: 201, body: { nick: 'Annie', mute: true, user: { id: anna.id } } });
    expect(anna.isMember).toBe(true);
    await client.dispatch('GUILD_MEMBER_ADD', (d) => d.user.id === anna.id);
    expect(await put({ access_token: accessToken })).toMatchObject({ status: 204, body: undefined });
  });

  test('only with a token of that person, that scope and that application', async () => {
    await using sandbox = await createSandbox({ rateLimits: false });
    const anna = await sandbox.people.create({ name: 'anna', member: false });
    const bela = await sandbox.people.create({ name: 'bela', member: false });
    const other = await sandbox.bots.create({ name: 'other' });
    const put = async (token: string) =>
      (await call(sandbox, 'PUT', `/guilds/${sandbox.guildId}/members/${anna.id}`, { body: { access_token: token } }))
        .body.code;
    expect(await put('nothing')).toBe(50_025);
    expect(await put(sandbox.oauth.tokensFor(bela).accessToken)).toBe(50_025);
    expect(await put(sandbox.oauth.tokensFor(anna, ['identify']).accessToken)).toBe(50_025);
    expect(await put(sandbox.oauth.tokensFor(anna, ['guilds.join'], other.id).accessToken)).toBe(50_025);
    expect(anna.isMember).toBe(false);
    expect(() => sandbox.oauth.tokensFor({ id: '1' })).toThrow();
    expect(() => sandbox.oauth.tokensFor(anna, ['bot' as never])).toThrow(TypeError);
  });
});
