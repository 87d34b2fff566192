/** Owns the talk with Discord's OAuth2, by oauth4webapi: authorize, code for tokens with PKCE, refresh, revoke, who it is. */
import { type Clock, check, messageOf, Redacted, resolveOptions, systemClock } from '@guildkit/core';
import * as oauth from 'oauth4webapi';
import * as z from 'zod/mini';
import { OAuthError } from './errors.js';

/** Settings of {@link createDiscordOAuth}. */
export interface DiscordOAuthOptions {
  /** `DISCORD_CLIENT_ID` */
  readonly clientId: string;
  /** `DISCORD_CLIENT_SECRET` */
  readonly clientSecret: string | Redacted;
  /** Where Discord sends the browser back to; registered in the developer portal to the letter. */
  readonly redirectUri: string;
  /** @defaultValue `['identify', 'guilds.join']` */
  readonly scopes?: readonly string[] | undefined;
  /** @defaultValue `'https://discord.com/api/v10'` */
  readonly apiBase?: string | undefined;
  /** Where the browser is sent to. @defaultValue `/oauth2/authorize` on the host of `apiBase` */
  readonly authorizeUrl?: string | undefined;
  /** For one request, in ms. @defaultValue 5000 */
  readonly timeoutMs?: number | undefined;
  /** @defaultValue the platform's */
  readonly fetch?: typeof fetch | undefined;
  readonly clock?: Clock | undefined;
}

/** Discord's tokens for a user. */
export interface DiscordTokens {
  readonly accessToken: Redacted;
  readonly refreshToken: Redacted;
  /** Unix ms at which the access token ends. */
  readonly expiresAt: number;
  readonly scopes: readonly string[];
}

/** Who logged in. */
export interface DiscordUser {
  readonly userId: string;
  /** Display name, else user name. */
  readonly username: string;
  readonly avatar: string | null;
}

/** What a login begins with. */
export interface LoginStart {
  /** Where the browser goes. */
  readonly url: string;
  /** Proves later that whoever brings the code asked for it: to be kept by the browser, sealed (RFC 7636). */
  readonly verifier: string;
}

/** The talk with Discord. Every method throws {@link OAuthError}. */
export interface DiscordOAuth {
  readonly scopes: readonly string[];
  /** The address of Discord's page for a login. */
  begin(state: string): Promise<LoginStart>;
  /** Exchanges the code in the address that Discord sent the browser to. */
  complete(callback: URL, expected: { readonly state: string; readonly verifier: string }): Promise<DiscordTokens>;
  /** Who an access token speaks for. */
  user(accessToken: Redacted): Promise<DiscordUser>;
  /** Exchanges a refresh token, which works once. */
  refresh(refreshToken: Redacted): Promise<DiscordTokens>;
  /** Ends every token of the user for this app. */
  revoke(token: Redacted): Promise<void>;
}

interface Settings {
  readonly clientId: string;
  readonly clientSecret: string | Redacted;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  readonly apiBase: string;
  readonly authorizeUrl: string | undefined;
  readonly timeoutMs: number;
  readonly fetch: typeof fetch | undefined;
  readonly clock: Clock;
}

const DEFAULTS: Settings = {
  clientId: '',
  clientSecret: '',
  redirectUri: '',
  scopes: ['identify', 'guilds.join'],
  apiBase: 'https://discord.com/api/v10',
  authorizeUrl: undefined,
  timeoutMs: 5_000,
  fetch: undefined,
  clock: systemClock,
};

const userSchema = z.object({
  id: z.string().check(z.regex(/^[0-9]{1,20}$/)),
  username: z.string(),
  global_name: z.nullish(z.string()),
  avatar: z.nullish(z.string()),
});

/** Discord's tokens live a week; an answer without a lifetime is taken for the shortest that makes sense. */
const FALLBACK_TTL_S = 3_600;

/**
 * Creates the talk with Discord.
 *
 * @throws TypeError on options out of range.
 */
export function createDiscordOAuth(options: DiscordOAuthOptions): DiscordOAuth {
  const settings = resolveOptions<Settings>('createDiscordOAuth', DEFAULTS, options, {
    clientId: check.text(),
    redirectUri: check.httpUrl(),
    apiBase: check.httpUrl(),
    authorizeUrl: check.optional(check.httpUrl()),
    timeoutMs: check.integer(1, 60_000),
    scopes: (value) =>
      Array.isArray(value) && value.includes('identify') ? undefined : 'must be a list with identify',
  });
  const { clientId, redirectUri, scopes, timeoutMs, clock, fetch: fetchImpl = fetch } = settings;
  const apiBase = settings.apiBase.replace(/\/+$/, '');
  const secret = typeof settings.clientSecret === 'string' ? settings.clientSecret : settings.clientSecret.reveal();
  if (secret === '') throw new TypeError('createDiscordOAuth: option "clientSecret" must be a non-empty string');
  const authorizeUrl = settings.authorizeUrl ?? new URL('/oauth2/authorize', apiBase).href;
  const server: oauth.AuthorizationServer = {
    issuer: new URL(apiBase).origin,
    authorization_endpoint: authorizeUrl,
    token_endpoint: `${apiBase}/oauth2/token`,
    revocation_endpoint: `${apiBase}/oauth2/token/revoke`,
  };
  const client: oauth.Client = { client_id: clientId };
  const proof = oauth.ClientSecretPost(secret);
  const request = () => ({
    [oauth.customFetch]: (url: string, init: object): Promise<Response> => fetchImpl(url, init as RequestInit),
    // The sandbox on this machine speaks plain HTTP; anything else must not.
    [oauth.allowInsecureRequests]: isLocal(apiBase),
    signal: AbortSignal.timeout(timeoutMs),
  });

  function toTokens({ access_token, refresh_token, expires_in, scope }: oauth.TokenEndpointResponse): DiscordTokens {
    if (typeof refresh_token !== 'string') throw new OAuthError('ERR_OAUTH_RESPONSE_MALFORMED');
    const granted = scope?.split(' ') ?? scopes;
    if (!scopes.every((wanted) => granted.includes(wanted))) throw new OAuthError('ERR_OAUTH_SCOPE_MISSING');
    return {
      accessToken: new Redacted(access_token),
      refreshToken: new Redacted(refresh_token),
      expiresAt: clock.wallTime() + (expires_in ?? FALLBACK_TTL_S) * 1000,
      scopes: granted,
    };
  }

  return {
    scopes,
    async begin(state) {
      const verifier = oauth.generateRandomCodeVerifier();
      const url = new URL(authorizeUrl);
      const query = {
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUri,
        scope: scopes.join(' '),
        state,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        // Whoever has agreed before is not asked again.
        prompt: 'none',
      };
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
      return { url: url.href, verifier };
    },
    async complete(callback, { state, verifier }) {
      try {
        const parameters = oauth.validateAuthResponse(server, client, callback, state);
        const response = await oauth.authorizationCodeGrantRequest(
          server,
          client,
          proof,
          parameters,
          redirectUri,
          verifier,
          request(),
        );
        return toTokens(await oauth.processAuthorizationCodeResponse(server, client, response));
      } catch (error) {
        throw toOAuthError(error, 'ERR_OAUTH_CODE_REFUSED');
      }
    },
    async user(accessToken) {
      try {
        const response = await fetchImpl(`${apiBase}/users/@me`, {
          headers: { authorization: `Bearer ${accessToken.reveal()}` },
          signal: AbortSignal.timeout(timeoutMs),
          redirect: 'error',
        });
        if (!response.ok) {
          await response.body?.cancel();
          throw new OAuthError(response.status === 401 ? 'ERR_OAUTH_GRANT_ENDED' : 'ERR_OAUTH_PROVIDER_UNAVAILABLE');
        }
        const result = userSchema.safeParse(await response.json());
        if (!result.success) throw new OAuthError('ERR_OAUTH_RESPONSE_MALFORMED');
        const { id, username, global_name, avatar } = result.data;
        return { userId: id, username: global_name ?? username, avatar: avatar ?? null };
      } catch (error) {
        throw toOAuthError(error, 'ERR_OAUTH_GRANT_ENDED');
      }
    },
    async refresh(refreshToken) {
      try {
        const response = await oauth.refreshTokenGrantRequest(server, client, proof, refreshToken.reveal(), request());
        return toTokens(await oauth.processRefreshTokenResponse(server, client, response));
      } catch (error) {
        throw toOAuthError(error, 'ERR_OAUTH_GRANT_ENDED');
      }
    },
    async revoke(token) {
      try {
        const response = await oauth.revocationRequest(server, client, proof, token.reveal(), request());
        await oauth.processRevocationResponse(response);
      } catch (error) {
        throw toOAuthError(error, 'ERR_OAUTH_GRANT_ENDED');
      }
    },
  };
}

/** Errors of the library carry answers and requests, tokens among them: only their message is kept. */
function toOAuthError(error: unknown, refused: 'ERR_OAUTH_CODE_REFUSED' | 'ERR_OAUTH_GRANT_ENDED'): OAuthError {
  if (OAuthError.is(error)) return error;
  const cause = new Error(messageOf(error));
  if (error instanceof oauth.AuthorizationResponseError) {
    const mine = error.error === 'access_denied' ? 'ERR_OAUTH_LOGIN_DENIED' : 'ERR_OAUTH_CLIENT_REFUSED';
    return new OAuthError(mine, { cause: new Error(`the authorization ended with ${error.error.slice(0, 40)}`) });
  }
  if (error instanceof oauth.ResponseBodyError) {
    if (error.status === 429 || error.status >= 500) return new OAuthError('ERR_OAUTH_PROVIDER_UNAVAILABLE', { cause });
    if (error.error === 'invalid_grant') return new OAuthError(refused, { cause });
    return new OAuthError('ERR_OAUTH_CLIENT_REFUSED', { cause: new Error(error.error.slice(0, 40)) });
  }
  if (error instanceof oauth.OperationProcessingError) {
    const { cause: inner, code } = error as { cause?: unknown; code?: unknown };
    const status = (inner as { status?: unknown } | undefined)?.status;
    if (typeof status === 'number' && (status === 429 || status >= 500)) {
      return new OAuthError('ERR_OAUTH_PROVIDER_UNAVAILABLE', { cause });
    }
    // Thrown before anything is sent: what the browser brought is no answer to this login.
    if (code === oauth.INVALID_RESPONSE && status === undefined)
      return new OAuthError('ERR_OAUTH_STATE_INVALID', { cause });
    return new OAuthError('ERR_OAUTH_RESPONSE_MALFORMED', { cause });
  }
  return new OAuthError('ERR_OAUTH_PROVIDER_UNAVAILABLE', { cause });
}

function isLocal(url: string): boolean {
  return ['localhost', '127.0.0.1', '[::1]'].includes(new URL(url).hostname);
}
