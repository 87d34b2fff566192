/** Owns the settings of sessions, and the shapes that they take and give. */
import {
  type Clock,
  check,
  type Logger,
  type Redacted,
  resolveOptions,
  silentLogger,
  systemClock,
} from '@guildkit/core';
import type { Principal } from '../principal.js';
import type { SecretInput } from '../shared/secrets.js';
import type { DiscordOAuth, DiscordUser } from './discord-oauth.js';
import type { OAuthErrorCode } from './errors.js';
import type { SuccessorStore } from './successor-store.js';

/** Someone who is logged in. Lives on the server: tokens never reach the browser in the clear. */
export interface Session extends Principal, DiscordUser {
  /** Stays the same over refreshes. */
  readonly sessionId: string;
  /** For `guilds.join`. */
  readonly accessToken: Redacted;
  readonly refreshToken: Redacted;
}

/** Settings of `createSessions`. */
export interface SessionsOptions {
  readonly oauth: DiscordOAuth;
  /** `SESSION_SECRET`. The first one seals, all open. */
  readonly secrets: SecretInput;
  /** The app's public address, as browsers see it: `https://app.example`. Decides the cookies' flags, also behind a proxy. */
  readonly origin: string;
  /** Further origins whose pages may change things with the session. @defaultValue none */
  readonly origins?: readonly string[] | undefined;
  /** Where the login begins. @defaultValue `'/login'` */
  readonly loginPath?: string | undefined;
  /** Roles of a user, asked at login and at each refresh. @defaultValue none */
  readonly rolesOf?: ((user: DiscordUser) => readonly string[] | Promise<readonly string[]>) | undefined;
  /** How long a session lasts before it is refreshed, in seconds. @defaultValue 3600 */
  readonly expiresInSeconds?: number | undefined;
  /** How long someone who does not come back stays logged in, in seconds. @defaultValue 2592000: 30 days */
  readonly cookieMaxAgeSeconds?: number | undefined;
  /** @defaultValue `'gk_session'`, with `__Host-` before it on https */
  readonly cookieName?: string | undefined;
  /** @defaultValue a store in this process */
  readonly store?: SuccessorStore | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
}

/** What was counted. */
export interface SessionStats {
  readonly logins: number;
  readonly refreshes: number;
  /** Requests that came with a cookie whose successor was known already. */
  readonly successors: number;
  readonly logouts: number;
  readonly refused: Readonly<Partial<Record<OAuthErrorCode, number>>>;
}

/** Sessions of browsers. */
export interface Sessions {
  /** `GET /login?returnTo=/somewhere`: sends the browser to Discord. Never rejects. */
  loginHandler(request: Request): Promise<Response>;
  /** The redirect address: makes the session and sends the browser back to where it was. Never rejects. */
  callbackHandler(request: Request): Promise<Response>;
  /** `POST /logout`: ends the session here and at Discord. Never rejects. */
  logoutHandler(request: Request): Promise<Response>;
  /**
   * Who the cookie speaks for, without refreshing: for the upgrade of a WebSocket, which cannot set a cookie. `null` when it
   * speaks for nobody or has run out.
   */
  read(request: { readonly headers: Headers }): Promise<Session | null>;
  /**
   * Wraps a handler that needs a session. A session that has run out is refreshed unseen. Without one an API answers 401
   * and a page sends the browser to the login, from where it comes back. Requests that change something must come from a
   * page of this site.
   */
  requireSession(
    handler: (request: Request, context: { readonly session: Session }) => Response | Promise<Response>,
    options?: { readonly onMissing?: 'refuse' | 'login' | undefined },
  ): (request: Request) => Promise<Response>;
  /** What was counted so far. */
  stats(): SessionStats;
}

/** Options with their defaults. */
export interface SessionsSettings {
  readonly oauth: DiscordOAuth | undefined;
  readonly secrets: SecretInput;
  readonly origin: string;
  readonly origins: readonly string[];
  readonly loginPath: string;
  readonly rolesOf: NonNullable<SessionsOptions['rolesOf']>;
  readonly expiresInSeconds: number;
  readonly cookieMaxAgeSeconds: number;
  readonly cookieName: string;
  readonly store: SuccessorStore | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
}

const DEFAULTS: SessionsSettings = {
  oauth: undefined,
  secrets: [],
  origin: '',
  origins: [],
  loginPath: '/login',
  rolesOf: () => [],
  expiresInSeconds: 3_600,
  cookieMaxAgeSeconds: 2_592_000,
  cookieName: 'gk_session',
  store: undefined,
  logger: silentLogger,
  clock: systemClock,
};

/** Checks options and fills in the defaults. @throws TypeError on options out of range. */
export function resolveSessionsOptions(options: SessionsOptions): SessionsSettings {
  return resolveOptions<SessionsSettings>('createSessions', DEFAULTS, options, {
    oauth: (value) => (typeof value === 'object' ? undefined : 'must be what createDiscordOAuth() returns'),
    origin: isOrigin,
    origins: (value) =>
      Array.isArray(value) && value.every((each) => isOrigin(each) === undefined)
        ? undefined
        : 'must be a list of origins',
    loginPath: (value) => (typeof value === 'string' && /^\/[^/\\]/.test(value) ? undefined : 'must be a path'),
    rolesOf: check.function(),
    expiresInSeconds: check.integer(60, 604_800),
    cookieMaxAgeSeconds: check.integer(60, 34_560_000),
    cookieName: (value) =>
      typeof value === 'string' && /^[A-Za-z0-9_-]{1,40}$/.test(value) ? undefined : 'must be letters, digits, _ and -',
  });
}

function isOrigin(value: unknown): string | undefined {
  return typeof value === 'string' && /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value
    ? undefined
    : 'must be an origin: scheme, host and port, without a path';
}
