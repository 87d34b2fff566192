/** `/oauth` against the sandbox's OAuth2: login, refresh, logout, and attacks. */
import { inspect } from 'node:util';
import { createSandbox, type Person, type Sandbox } from '@guildkit/sandbox';
import {
  createDiscordOAuth,
  createSessions,
  type DiscordOAuth,
  memorySuccessorStore,
  type OAuthErrorCode,
  type Session,
  type Sessions,
  type SessionsOptions,
  safeReturnAddress,
} from '@guildkit/server-kit/oauth';
import { createVirtualClock, type VirtualClock } from '@guildkit/testkit';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keepingLogger } from '../support/log-lines.js';
import { successorStoreSuite } from './successor-store-suite.js';

const ORIGIN = 'https://app.example';
const SECRET = 'a session secret of many letters';

successorStoreSuite('memory', async () => {
  const clock = createVirtualClock();
  return { store: memorySuccessorStore({ clock }), advance: (ms) => clock.advance(ms) };
});

let sandbox: Sandbox;
let eve: Person;
beforeAll(async () => {
  sandbox = await createSandbox({ seed: 7, rateLimits: false });
  eve = await sandbox.people.create({ name: 'Eve' });
});
afterAll(() => sandbox.close());

/** A browser's cookies. */
class Browser {
  readonly cookies = new Map<string, string>();

  request(path: string, init: RequestInit & { headers?: Record<string, string> } = {}): Request {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...(cookie === '' ? {} : { cookie }), ...init.headers };
    return new Request(new URL(path, ORIGIN), { ...init, headers });
  }

  take(response: Response): Response {
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...flags] = line.split('; ');
      const [name = '', value = ''] = pair.split(/=(.*)/s);
      if (flags.includes('Max-Age=0')) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return response;
  }
}

function subject(options: Partial<SessionsOptions> & { clock?: VirtualClock; oauth?: DiscordOAuth } = {}) {
  const clock = options.clock ?? createVirtualClock();
  const logger = keepingLogger();
  const asked: string[] = [];
  const fetchImpl: typeof fetch = (input, init) => {
    asked.push(`${init?.method ?? 'GET'} ${new URL(String(input)).pathname}`);
    return fetch(input, init);
  };
  const oauth = createDiscordOAuth({
    clientId: sandbox.oauth.clientId,
    clientSecret: sandbox.oauth.clientSecret,
    redirectUri: 'http://localhost:3000/callback',
    apiBase: sandbox.connection.apiBase,
    fetch: fetchImpl,
    clock,
  });
  const sessions = createSessions({ oauth, secrets: SECRET, origin: ORIGIN, logger, clock, ...options });
  const me = sessions.requireSession(async (_request, { session }) => Response.json({ userId: session.userId }));
  const change = me;
  return { clock, logger, oauth, sessions, asked, me, change };
}

/** Goes the whole way of a login. */
async function logIn({ sessions }: { sessions: Sessions }, browser = new Browser(), returnTo = '/table/1') {
  const started = browser.take(
    await sessions.loginHandler(browser.request(`/login?returnTo=${encodeURIComponent(returnTo)}`)),
  );
  expect(started.status).toBe(302);
  const callback = new URL(sandbox.oauth.approve(started.headers.get('location') ?? '', eve));
  const path = `/callback${callback.search}`;
  const answer = browser.take(await sessions.callbackHandler(browser.request(path)));
  return { browser, started, path, answer };
}

const codeOf = async (response: Response): Promise<OAuthErrorCode> =>
  ((await response.json()) as { error: { code: OAuthErrorCode } }).error.code;

describe('login', () => {
  it('goes to Discord with PKCE and comes back to where it began', async () => {
    const world = subject({ rolesOf: ({ username }) => [`name:${username}`] });
    const { browser, started, answer } = await logIn(world);
    const asked = new URL(started.headers.get('location') ?? '').searchParams;
    expect(Object.fromEntries(asked)).toMatchObject({
      response_type: 'code',
      scope: 'identify guilds.join',
      code_challenge_method: 'S256',
    });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/table/1']);
    const session = (await world.sessions.read(browser.request('/'))) as Session;
    expect(session).toMatchObject({ userId: eve.id, username: 'Eve', roles: ['name:Eve'] });
    expect(session.expiresAt).toBe(world.clock.wallTime() + 3_600_000);
    expect(await (await world.me(browser.request('/api/me'))).json()).toEqual({ userId: eve.id });
    expect(world.sessions.stats()).toMatchObject({ logins: 1, refused: {} });
    // The token that it holds is Discord's: it can add to a guild.
    expect((await world.oauth.user(session.accessToken)).userId).toBe(eve.id);
  });

  it('sets one sealed cookie that scripts, other sites and plain HTTP do not get', async () => {
    const { browser, answer } = await logIn(subject());
    const line = answer.headers.getSetCookie().find((cookie) => cookie.startsWith('__Host-gk_session=')) ?? '';
    expect(line.split('; ').slice(1).sort()).toEqual([
      'HttpOnly',
      'Max-Age=2592000',
      'Path=/',
      'SameSite=Lax',
      'Secure',
    ]);
    expect([...browser.cookies.keys()]).toEqual(['__Host-gk_session']);
    expect(line.length).toBeLessThan(1_500);
    const [, , , ciphertext] = line.split('.');
    expect(Buffer.from(ciphertext ?? '', 'base64url').toString('latin1')).not.toContain('Eve');
    // Behind a proxy the request itself is plain: the public address decides.
    const plain = await logIn(subject({ origin: 'http://localhost:3000' }), new Browser());
    expect(plain.answer.headers.getSetCookie().join()).toContain('gk_session=');
    expect(plain.answer.headers.getSetCookie().join()).not.toContain('Secure');
  });

  it('lets several tabs log in at once, and bounds their cookies', async () => {
    const world = subject();
    const browser = new Browser();
    const addresses: string[] = [];
    for (let n = 0; n < 8; n += 1) {
      const started = browser.take(await world.sessions.loginHandler(browser.request(`/login?returnTo=/tab/${n}`)));
      addresses.push(sandbox.oauth.approve(started.headers.get('location') ?? '', eve));
    }
    expect(browser.cookies.size).toBe(5);
    for (const n of [6, 4]) {
      const answer = browser.take(
        await world.sessions.callbackHandler(browser.request(`/callback${new URL(addresses[n] ?? '').search}`)),
      );
      expect(answer.headers.get('location')).toBe(`/tab/${n}`);
    }
  });

  it('says so when someone does not agree', async () => {
    const world = subject();
    const browser = new Browser();
    const started = browser.take(await world.sessions.loginHandler(browser.request('/login')));
    const denied = new URL(sandbox.oauth.deny(started.headers.get('location') ?? ''));
    const answer = await world.sessions.callbackHandler(browser.request(`/callback${denied.search}`));
    expect([answer.status, await codeOf(answer)]).toEqual([403, 'ERR_OAUTH_LOGIN_DENIED']);
  });

  it('tells an outage and a wrong secret from a refusal', async () => {
    const world = subject();
    const clients = {
      ERR_OAUTH_PROVIDER_UNAVAILABLE: { fetch: (() => Promise.reject(new TypeError('fetch failed'))) as typeof fetch },
      ERR_OAUTH_CLIENT_REFUSED: { clientSecret: 'not the secret' },
    };
    for (const [code, change] of Object.entries(clients)) {
      const oauth = createDiscordOAuth({
        clientId: sandbox.oauth.clientId,
        clientSecret: sandbox.oauth.clientSecret,
        redirectUri: 'http://localhost:3000/callback',
        apiBase: sandbox.connection.apiBase,
        clock: world.clock,
        ...change,
      });
      const { answer } = await logIn(subject({ oauth }));
      expect([answer.status, await codeOf(answer)]).toEqual([502, code]);
    }
  });
});

describe('silent refresh', () => {
  it('happens unseen when the session has run out, and keeps its id', async () => {
    const world = subject();
    const { browser } = await logIn(world);
    const before = (await world.sessions.read(browser.request('/'))) as Session;
    await world.clock.advance(3_600_000);
    // A WebSocket's upgrade cannot set a cookie: it is only looked at.
    expect(await world.sessions.read(browser.request('/'))).toBeNull();
    const answer = browser.take(await world.me(browser.request('/api/me')));
    expect(await answer.json()).toEqual({ userId: eve.id });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const after = (await world.sessions.read(browser.request('/'))) as Session;
    expect(after.sessionId).toBe(before.sessionId);
    expect(after.accessToken.reveal()).not.toBe(before.accessToken.reveal());
    expect(world.sessions.stats().refreshes).toBe(1);
  });

  it('asks Discord once, however many tabs come, at once or later, and logs nobody out', async () => {
    const world = subject();
    const { browser } = await logIn(world);
    const old = new Browser();
    for (const [name, value] of browser.cookies) old.cookies.set(name, value);
    await world.clock.advance(3_600_000);
    const answers = await Promise.all(Array.from({ length: 20 }, () => world.me(old.request('/api/me'))));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    // A slow tab still has the old cookie.
    await world.clock.advance(120_000);
    const late = old.take(await world.me(old.request('/api/me')));
    expect(late.status).toBe(200);
    expect(world.asked.filter((line) => line.endsWith('/oauth2/token'))).toHaveLength(2);
    expect((await world.me(old.request('/api/me'))).status).toBe(200);
    expect(world.sessions.stats()).toMatchObject({ refreshes: 1, refused: {} });
  });

  it('asks Discord once for several processes with one store', async () => {
    const clock = createVirtualClock();
    const store = memorySuccessorStore({ clock });
    const [a, b] = [subject({ clock, store }), subject({ clock, store })];
    const { browser } = await logIn(a);
    await clock.advance(3_600_000);
    const answers = [a, b, a, b].map((world) => world.me(browser.request('/api/me')));
    const turning = setInterval(() => void clock.advance(100), 5);
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    clearInterval(turning);
    expect(a.sessions.stats().refreshes + b.sessions.stats().refreshes).toBe(1);
  });

  it('ends the session when Discord has ended it, with 401 for an API and the login for a page', async () => {
    const world = subject();
    const { browser } = await logIn(world);
    const session = (await world.sessions.read(browser.request('/'))) as Session;
    await world.oauth.revoke(session.accessToken);
    await world.clock.advance(3_600_000);
    const refused = await world.me(browser.request('/api/me'));
    expect([refused.status, await codeOf(refused)]).toEqual([401, 'ERR_OAUTH_SESSION_REQUIRED']);
    expect(refused.headers.getSetCookie()[0]).toContain('Max-Age=0');
    const page = world.sessions.requireSession(async () => new Response('in'), { onMissing: 'login' });
    const sent = await page(browser.request('/table/1?seat=2'));
    expect([sent.status, sent.headers.get('location')]).toEqual([302, '/login?returnTo=%2Ftable%2F1%3Fseat%3D2']);
  });

  it('keeps the session through an outage of Discord', async () => {
    let down = false;
    const world = subject();
    const oauth = createDiscordOAuth({
      clientId: sandbox.oauth.clientId,
      clientSecret: sandbox.oauth.clientSecret,
      redirectUri: 'http://localhost:3000/callback',
      apiBase: sandbox.connection.apiBase,
      clock: world.clock,
      fetch: (input, init) => (down ? Promise.reject(new TypeError('fetch failed')) : fetch(input, init)),
    });
    const other = subject({ oauth, clock: world.clock });
    const { browser } = await logIn(other);
    await world.clock.advance(3_600_000);
    down = true;
    const answer = browser.take(await other.me(browser.request('/api/me')));
    expect([answer.status, await codeOf(answer)]).toEqual([502, 'ERR_OAUTH_PROVIDER_UNAVAILABLE']);
    down = false;
    expect((await other.me(browser.request('/api/me'))).status).toBe(200);
  });
});

describe('logout', () => {
  it('ends the session here, also for a copied cookie, and at Discord', async () => {
    const world = subject();
    const { browser } = await logIn(world);
    const session = (await world.sessions.read(browser.request('/'))) as Session;
    const copy = new Browser();
    for (const [name, value] of browser.cookies) copy.cookies.set(name, value);
    const out = browser.take(
      await world.sessions.logoutHandler(browser.request('/logout', { method: 'POST', headers: { origin: ORIGIN } })),
    );
    expect(out.status).toBe(204);
    expect(browser.cookies.size).toBe(0);
    expect((await world.me(copy.request('/api/me'))).status).toBe(401);
    await expect(world.oauth.user(session.accessToken)).rejects.toMatchObject({ code: 'ERR_OAUTH_GRANT_ENDED' });
    expect((await world.sessions.logoutHandler(browser.request('/logout'))).status).toBe(405);
    expect(
      (await world.sessions.logoutHandler(browser.request('/logout', { method: 'POST', headers: { origin: ORIGIN } })))
        .status,
    ).toBe(204);
  });
});

describe('attacks', () => {
  it('a state that is forged, altered, of another browser, replayed or old', async () => {
    const world = subject();
    const { browser, path } = await logIn(world);
    const expectRefused = async (request: Request, code: OAuthErrorCode = 'ERR_OAUTH_STATE_INVALID') => {
      const answer = await world.sessions.callbackHandler(request);
      expect([answer.status, await codeOf(answer)]).toEqual([400, code]);
      expect(answer.headers.getSetCookie().join()).not.toContain('gk_session');
    };
    // The same address again: its cookie is gone.
    await expectRefused(browser.request(path));
    await expectRefused(new Browser().request('/callback?code=x&state=forged'));
    await expectRefused(new Browser().request('/callback'));
    // Login CSRF: an attacker's own address in the victim's browser.
    const attacker = new Browser();
    const started = attacker.take(await world.sessions.loginHandler(attacker.request('/login')));
    const theirs = `/callback${new URL(sandbox.oauth.approve(started.headers.get('location') ?? '', eve)).search}`;
    await expectRefused(new Browser().request(theirs));
    const victim = new Browser();
    victim.take(await world.sessions.loginHandler(victim.request('/login')));
    await expectRefused(victim.request(theirs));
    await expectRefused(attacker.request(theirs.replace(/state=[^&]{9}/, 'state=AAAAAAAAA')));
    // With a stolen login cookie the code still works once.
    const cookies = new Map(attacker.cookies);
    expect((await world.sessions.callbackHandler(attacker.request(theirs))).status).toBe(303);
    for (const [name, value] of cookies) attacker.cookies.set(name, value);
    await expectRefused(attacker.request(theirs));
    await world.clock.advance(601_000);
    await expectRefused(attacker.request(theirs), 'ERR_OAUTH_STATE_EXPIRED');
    expect(world.sessions.stats().refused).toEqual({ ERR_OAUTH_STATE_INVALID: 7, ERR_OAUTH_STATE_EXPIRED: 1 });
    expect(world.logger.of('warn')).toHaveLength(8);
  });

  it('a code of another login, or one that was never given', async () => {
    const world = subject();
    const browser = new Browser();
    const started = browser.take(await world.sessions.loginHandler(browser.request('/login')));
    const callback = new URL(sandbox.oauth.approve(started.headers.get('location') ?? '', eve));
    callback.searchParams.set('code', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA');
    const answer = await world.sessions.callbackHandler(browser.request(`/callback${callback.search}`));
    expect([answer.status, await codeOf(answer)]).toEqual([400, 'ERR_OAUTH_CODE_REFUSED']);
    // PKCE: someone else's code with this login's verifier.
    const other = new Browser();
    const theirs = new URL(
      sandbox.oauth.approve(
        other.take(await world.sessions.loginHandler(other.request('/login'))).headers.get('location') ?? '',
        eve,
      ),
    );
    const again = new URL(
      browser.take(await world.sessions.loginHandler(browser.request('/login'))).headers.get('location') ?? '',
    );
    const mixed = new URLSearchParams({
      code: theirs.searchParams.get('code') ?? '',
      state: again.searchParams.get('state') ?? '',
    });
    const injected = await world.sessions.callbackHandler(browser.request(`/callback?${mixed}`));
    expect([injected.status, await codeOf(injected)]).toEqual([400, 'ERR_OAUTH_CODE_REFUSED']);
    expect(world.sessions.stats().refused).toEqual({ ERR_OAUTH_CODE_REFUSED: 2 });
    expect(world.logger.of('warn').map(({ fields }) => fields.code)).toEqual(Array(2).fill('ERR_OAUTH_CODE_REFUSED'));
  });

  it('no return address leads off the site', async () => {
    const evil = [
      'https://evil.example/',
      '//evil.example',
      '/\\evil.example',
      '\\\\evil.example',
      '/\t/evil.example',
      '/.//evil.example',
      '/%0d%0aset-cookie:x\r\nx: y',
      'javascript:alert(1)',
      'https:evil.example',
      '@evil.example',
      '',
      `/${'x'.repeat(2_000)}`,
      null,
      5 as never,
    ];
    for (const address of evil) expect(safeReturnAddress(address, ORIGIN), String(address)).toBe('/');
    for (const fine of ['/', '/a?b=c#d', '/a//b', '/@evil.example', '/https://evil.example']) {
      expect(safeReturnAddress(fine, ORIGIN)).toBe(fine);
    }
    fc.assert(
      fc.property(
        fc.oneof(
          fc.webUrl(),
          fc.string(),
          fc.string().map((text) => `/${text}`),
          fc.string().map((text) => `//${text}`),
        ),
        (address) => {
          const safe = safeReturnAddress(address, ORIGIN);
          expect(new URL(safe, ORIGIN).origin).toBe(ORIGIN);
          expect(safe).toMatch(/^\/(?!\/)[^\s\\]*$/);
        },
      ),
      { numRuns: 500 },
    );
    const { answer } = await logIn(subject(), new Browser(), 'https://evil.example/');
    expect(answer.headers.get('location')).toBe('/');
  });

  it('a foreign page cannot change anything with the session', async () => {
    const world = subject({ origins: ['https://admin.example'] });
    const { browser } = await logIn(world);
    const post = (headers: Record<string, string>) =>
      world.change(browser.request('/api/rooms', { method: 'POST', headers }));
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      {},
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      const answer = await post(headers as Record<string, string>);
      expect([answer.status, await codeOf(answer)]).toEqual([403, 'ERR_OAUTH_ORIGIN_FORBIDDEN']);
    }
    for (const headers of [
      { origin: ORIGIN },
      { origin: 'https://admin.example' },
      { 'sec-fetch-site': 'same-origin' },
    ]) {
      expect((await post(headers as Record<string, string>)).status).toBe(200);
    }
    const out = await world.sessions.logoutHandler(
      browser.request('/logout', { method: 'POST', headers: { origin: 'https://evil.example' } }),
    );
    expect(out.status).toBe(403);
    expect(world.sessions.stats().refused.ERR_OAUTH_ORIGIN_FORBIDDEN).toBe(6);
    expect(world.logger.of('warn').map(({ fields }) => fields.code)).toEqual(
      Array(6).fill('ERR_OAUTH_ORIGIN_FORBIDDEN'),
    );
  });

  it('a cookie that is altered, of another kind, or sealed by someone else', async () => {
    const world = subject();
    const { browser } = await logIn(world);
    const real = browser.cookies.get('__Host-gk_session') ?? '';
    const foreign = await logIn(subject({ secrets: 'another secret of many letters' }));
    browser.take(await world.sessions.loginHandler(browser.request('/login')));
    const login = [...browser.cookies].find(([name]) => name.includes('login'))?.[1] ?? '';
    const cookies = [
      `${real.slice(0, -4)}AAAA`,
      login,
      foreign.browser.cookies.get('__Host-gk_session') ?? '',
      'x',
      `${real}${'A'.repeat(9_999)}`,
    ];
    for (const value of cookies) {
      const thief = new Browser();
      thief.cookies.set('__Host-gk_session', value);
      expect((await world.me(thief.request('/api/me'))).status).toBe(401);
      expect(await world.sessions.read(thief.request('/'))).toBeNull();
    }
    // A cookie without the prefix could have been set by another host of the domain.
    const sibling = new Browser();
    sibling.cookies.set('gk_session', real);
    expect((await world.me(sibling.request('/api/me'))).status).toBe(401);
    expect(world.sessions.stats().refused.ERR_OAUTH_SESSION_REQUIRED).toBe(6);
    expect(world.logger.of('warn').map(({ fields }) => fields.code)).toEqual(
      Array(6).fill('ERR_OAUTH_SESSION_REQUIRED'),
    );
  });

  it('secrets can be rotated without logging anyone out', async () => {
    const clock = createVirtualClock();
    const { browser } = await logIn(subject({ clock }));
    const rotated = subject({ clock, secrets: `a newer secret of many letters,${SECRET}` });
    expect((await rotated.me(browser.request('/api/me'))).status).toBe(200);
  });

  it('nothing secret is in a log line, an answer or a printed object', async () => {
    const world = subject();
    const { browser, path } = await logIn(world);
    const session = (await world.sessions.read(browser.request('/'))) as Session;
    await world.sessions.callbackHandler(browser.request(path));
    const answer = await world.sessions.callbackHandler(browser.request(`${path}&error=x`));
    const text =
      JSON.stringify(world.logger.lines) +
      inspect(world.logger.lines, { depth: 9 }) +
      inspect(session) +
      JSON.stringify(session) +
      (await answer.text());
    const code = new URLSearchParams(path.split('?')[1]).get('code') ?? 'missing';
    for (const secret of [
      session.accessToken.reveal(),
      session.refreshToken.reveal(),
      sandbox.oauth.clientSecret,
      SECRET,
      code,
    ]) {
      expect(text).not.toContain(secret);
    }
  });
});
