/**
 * Owns who a browser is: login, callback, the sealed cookie, its silent refresh, logout. Refuses to redirect off this site
 * and to change anything for pages of others.
 */
import { createHash } from 'node:crypto';
import { messageOf, Redacted, toLogText } from '@guildkit/core';
import { refusalResponse, requestIdOf } from '../shared/safe-response.js';
import { createCookieJar } from './cookies.js';
import type { DiscordOAuth, DiscordTokens, DiscordUser } from './discord-oauth.js';
import { OAUTH_STATUS, OAuthError, type OAuthErrorCode } from './errors.js';
import { safeReturnAddress } from './return-address.js';
import { createSealer } from './sealed.js';
import { resolveSessionsOptions, type Session, type Sessions, type SessionsOptions } from './sessions-options.js';
import { memorySuccessorStore } from './successor-store.js';

/** What the cookie holds; short keys, as a cookie has 4 KB. */
interface SealedSession {
  readonly id: string;
  readonly user: string;
  readonly name: string;
  readonly avatar: string | null;
  readonly roles: readonly string[];
  readonly at: string;
  readonly rt: string;
  readonly exp: number;
}

/** Time for the login on Discord's page. */
const LOGIN_TTL_S = 600;
/** Logins begun at once in one browser; a request with more of their cookies would get too long. */
const MAX_LOGINS = 5;
/** How long a used cookie still leads to its successor: slow tabs, answers that were lost. */
const SUCCESSOR_TTL_MS = 300_000;
/** How long one process may take to refresh before another may try. */
const CLAIM_TTL_MS = 10_000;
const POLL_MS = 100;
const SAFE_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Creates sessions.
 *
 * @throws TypeError on options out of range.
 *
 * @example
 * ```ts
 * import { createDiscordOAuth, createSessions } from '@guildkit/server-kit/oauth';
 *
 * const origin = 'https://app.example';
 * const oauth = createDiscordOAuth({ clientId: '1', clientSecret: 'of the portal', redirectUri: `${origin}/callback` });
 * const sessions = createSessions({ oauth, origin, secrets: 'a secret of at least 16 characters' });
 * export const me = sessions.requireSession((_request, { session }) => Response.json({ userId: session.userId }));
 * ```
 */
export function createSessions(options: SessionsOptions): Sessions {
  const settings = resolveSessionsOptions(options);
  const { origin, loginPath, rolesOf, expiresInSeconds, cookieMaxAgeSeconds, cookieName, logger, clock } = settings;
  const oauth = settings.oauth as DiscordOAuth;
  const store = settings.store ?? memorySuccessorStore({ clock });
  const sealer = createSealer('createSessions', settings.secrets, clock);
  const jar = createCookieJar(origin);
  const pages = new Set([origin, ...settings.origins]);
  const counts = { logins: 0, refreshes: 0, successors: 0, logouts: 0 };
  const refused: Partial<Record<OAuthErrorCode, number>> = {};
  /** Refreshes of this process, by the session's key. */
  const flights = new Map<string, Promise<string>>();

  // ─── cookies ──────────────────────────────────────────────────────────────────────────────────────────────────

  async function seal(
    user: DiscordUser,
    roles: readonly string[],
    tokens: DiscordTokens,
    sessionId: string,
  ): Promise<string> {
    const endsAt = Math.min(clock.wallTime() + expiresInSeconds * 1000, tokens.expiresAt);
    const value: SealedSession = {
      id: sessionId,
      user: user.userId,
      name: toLogText(user.username, 64),
      avatar: user.avatar,
      roles,
      at: tokens.accessToken.reveal(),
      rt: tokens.refreshToken.reveal(),
      exp: endsAt,
    };
    return sealer.seal('session', { ...value }, cookieMaxAgeSeconds);
  }

  async function unseal(text: string | undefined): Promise<Session | undefined> {
    const opened = await sealer.open('session', text);
    if (opened.kind !== 'open') return undefined;
    const { id, user, name, avatar, roles, at, rt, exp } = opened.value as unknown as SealedSession;
    const session: Session = {
      sessionId: id,
      userId: user,
      username: name,
      avatar,
      roles,
      expiresAt: exp,
      accessToken: new Redacted(at),
      refreshToken: new Redacted(rt),
    };
    // The cookie may have been copied before the logout.
    return (await store.get(`ended ${session.sessionId}`)) === undefined ? session : undefined;
  }

  const sessionCookie = (sealed: string): string => jar.write(cookieName, sealed, cookieMaxAgeSeconds);

  // ─── refresh ──────────────────────────────────────────────────────────────────────────────────────────────────

  /** The cookie that follows a session that has run out. However many ask, Discord is asked once. */
  function successorOf(session: Session): Promise<string> {
    const key = createHash('sha256').update(session.refreshToken.reveal()).digest('base64url');
    const flight = flights.get(key);
    if (flight !== undefined) {
      counts.successors += 1;
      return flight;
    }
    const run = refresh(session, key).finally(() => flights.delete(key));
    flights.set(key, run);
    return run;
  }

  async function refresh(session: Session, key: string): Promise<string> {
    for (let waited = 0; ; waited += POLL_MS) {
      const known = await store.get(`successor ${key}`);
      if (known !== undefined) {
        counts.successors += 1;
        return known;
      }
      if (await store.claim(key, CLAIM_TTL_MS)) break;
      // Another process is at it.
      if (waited >= CLAIM_TTL_MS) throw new OAuthError('ERR_OAUTH_PROVIDER_UNAVAILABLE');
      await new Promise<void>((resolve) => clock.setTimer(resolve, POLL_MS));
    }
    try {
      // Between the look and the claim another process may have been done.
      const known = await store.get(`successor ${key}`);
      if (known !== undefined) return known;
      const tokens = await oauth.refresh(session.refreshToken);
      const user = await oauth.user(tokens.accessToken).catch((error: unknown) => {
        // The new tokens are good and the old are gone: names can wait for the next time.
        if (OAuthError.is(error) && error.retryable) return session;
        throw error;
      });
      const sealed = await seal(user, await rolesOf(user), tokens, session.sessionId);
      await store.put(`successor ${key}`, sealed, SUCCESSOR_TTL_MS);
      counts.refreshes += 1;
      logger.info({ userId: session.userId, sessionId: session.sessionId }, 'session refreshed');
      return sealed;
    } finally {
      await store.release(key);
    }
  }

  /** The session of a request, refreshed when it has run out. */
  async function resolve(
    request: Request,
  ): Promise<{ session: Session; setCookie: string | undefined } | 'none' | 'ended'> {
    const text = jar.read(request.headers, cookieName);
    const session = await unseal(text);
    if (session === undefined) return text === undefined ? 'none' : 'ended';
    if (session.expiresAt > clock.wallTime()) return { session, setCookie: undefined };
    try {
      const sealed = await successorOf(session);
      const next = await unseal(sealed);
      return next === undefined ? 'ended' : { session: next, setCookie: sessionCookie(sealed) };
    } catch (error) {
      if (
        OAuthError.is(error) &&
        (error.code === 'ERR_OAUTH_GRANT_ENDED' || error.code === 'ERR_OAUTH_SCOPE_MISSING')
      ) {
        logger.info({ userId: session.userId, code: error.code }, 'session ended');
        return 'ended';
      }
      throw error;
    }
  }

  // ─── answers ──────────────────────────────────────────────────────────────────────────────────────────────────

  function refuse(request: Request, error: unknown, cookies: readonly string[] = []): Response {
    const requestId = requestIdOf(request);
    const known = OAuthError.is(error) ? error : undefined;
    const status = known === undefined ? 500 : OAUTH_STATUS[known.code];
    if (known !== undefined) refused[known.code] = (refused[known.code] ?? 0) + 1;
    const fields = { requestId, status, ...(known === undefined ? { err: error } : { code: known.code }) };
    const reason = toLogText(messageOf(known?.cause ?? error));
    if (status >= 500) logger.error({ ...fields, reason }, 'login or session failed');
    else logger.warn({ ...fields, reason }, 'login or session refused');
    const { code, message } = known ?? { code: 'ERR_HTTP_INTERNAL', message: 'Something went wrong.' };
    return withCookies(refusalResponse({ status, code, message }, requestId), cookies);
  }

  function redirect(location: string, status: 302 | 303, cookies: readonly string[]): Response {
    const headers = { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' };
    return withCookies(new Response(null, { status, headers }), cookies);
  }

  /** Browsers name the page's origin with every request that changes something (Fetch standard, section 3.1). */
  function checkOrigin(request: Request): void {
    if (SAFE_METHODS.includes(request.method)) return;
    const page = request.headers.get('origin');
    if (page === null ? request.headers.get('sec-fetch-site') !== 'same-origin' : !pages.has(page)) {
      throw new OAuthError('ERR_OAUTH_ORIGIN_FORBIDDEN');
    }
  }

  function loginAddress(request: Request): string {
    const url = new URL(request.url);
    const here = safeReturnAddress(`${url.pathname}${url.search}`, origin);
    return `${loginPath}?returnTo=${encodeURIComponent(here)}`;
  }

  // ─── handlers ─────────────────────────────────────────────────────────────────────────────────────────────────

  async function begin(request: Request): Promise<Response> {
    const returnTo = safeReturnAddress(new URL(request.url).searchParams.get('returnTo'), origin);
    const nonce = crypto.randomUUID();
    const state = await sealer.seal('state', { nonce, returnTo }, LOGIN_TTL_S);
    const { url, verifier } = await oauth.begin(state);
    const login = await sealer.seal('login', { nonce, verifier }, LOGIN_TTL_S);
    const others = jar.names(request.headers, loginCookie(''));
    const surplus = others.slice(0, Math.max(0, others.length - MAX_LOGINS + 1)).map((name) => jar.clear(name));
    return redirect(url, 302, [...surplus, jar.write(loginCookie(nonce), login, LOGIN_TTL_S)]);
  }

  async function complete(request: Request, clears: string[]): Promise<Response> {
    const callback = new URL(request.url);
    const given = callback.searchParams.get('state') ?? '';
    const state = await sealer.open('state', given);
    if (state.kind === 'expired') throw new OAuthError('ERR_OAUTH_STATE_EXPIRED');
    if (state.kind === 'none') throw new OAuthError('ERR_OAUTH_STATE_INVALID');
    const { nonce, returnTo } = state.value as { nonce: string; returnTo: string };
    const name = loginCookie(nonce);
    const login = await sealer.open('login', jar.read(request.headers, name));
    // Whoever was given someone else's address has no cookie of that login: nobody is logged in as another.
    if (login.kind !== 'open' || login.value.nonce !== nonce) throw new OAuthError('ERR_OAUTH_STATE_INVALID');
    clears.push(jar.clear(name));
    // Once, whatever comes of it.
    if (!(await store.claim(`login ${nonce}`, LOGIN_TTL_S * 1000))) throw new OAuthError('ERR_OAUTH_STATE_INVALID');
    const tokens = await oauth.complete(callback, { state: given, verifier: String(login.value.verifier) });
    const user = await oauth.user(tokens.accessToken);
    // A new id with every login: nothing that was set before lives on.
    const sealed = await seal(user, await rolesOf(user), tokens, crypto.randomUUID());
    counts.logins += 1;
    logger.info({ userId: user.userId }, 'logged in');
    return redirect(safeReturnAddress(returnTo, origin), 303, [...clears, sessionCookie(sealed)]);
  }

  async function logout(request: Request): Promise<Response> {
    if (request.method !== 'POST') {
      const said = { status: 405, code: 'ERR_HTTP_METHOD_UNKNOWN', message: 'Send POST.' };
      return refusalResponse(said, requestIdOf(request), { allow: 'POST' });
    }
    checkOrigin(request);
    const session = await unseal(jar.read(request.headers, cookieName));
    const done = (): Response => withCookies(new Response(null, { status: 204 }), [jar.clear(cookieName)]);
    if (session === undefined) return done();
    await store.put(`ended ${session.sessionId}`, '1', cookieMaxAgeSeconds * 1000);
    counts.logouts += 1;
    logger.info({ userId: session.userId, sessionId: session.sessionId }, 'logged out');
    try {
      await oauth.revoke(session.refreshToken);
    } catch (error) {
      // Here they are logged out all the same; at Discord the tokens run out.
      logger.warn({ userId: session.userId, reason: messageOf(error) }, 'tokens could not be revoked');
    }
    return done();
  }

  return {
    loginHandler: (request) => begin(request).catch((error: unknown) => refuse(request, error)),
    async callbackHandler(request) {
      const clears: string[] = [];
      return complete(request, clears).catch((error: unknown) => refuse(request, error, clears));
    },
    logoutHandler: (request) => logout(request).catch((error: unknown) => refuse(request, error)),
    async read(request) {
      const session = await unseal(jar.read(request.headers, cookieName));
      return session !== undefined && session.expiresAt > clock.wallTime() ? session : null;
    },
    requireSession:
      (handler, { onMissing = 'refuse' } = {}) =>
      async (request) => {
        try {
          checkOrigin(request);
          const found = await resolve(request);
          if (found === 'none' || found === 'ended') {
            const clears = found === 'ended' ? [jar.clear(cookieName)] : [];
            if (onMissing === 'login' && SAFE_METHODS.includes(request.method)) {
              return redirect(loginAddress(request), 302, clears);
            }
            return refuse(request, new OAuthError('ERR_OAUTH_SESSION_REQUIRED'), clears);
          }
          const response = await handler(request, { session: found.session });
          return found.setCookie === undefined ? response : withCookies(response, [found.setCookie]);
        } catch (error) {
          if (OAuthError.is(error)) return refuse(request, error);
          throw error;
        }
      },
    stats: () => ({ ...counts, refused: { ...refused } }),
  };
}

const loginCookie = (nonce: string): string => `gk_login_${nonce.slice(0, 8)}`;

function withCookies(response: Response, cookies: readonly string[]): Response {
  if (cookies.length === 0) return response;
  // Answers of fetch() and of Response.redirect() are immutable.
  const copy = new Response(response.body, response);
  for (const cookie of cookies) copy.headers.append('set-cookie', cookie);
  // What carries a session must not be kept by anything in between.
  copy.headers.set('cache-control', 'no-store');
  return copy;
}
