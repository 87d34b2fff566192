/** Owns the OAuth2 methods (RFC 6749, RFC 7636, RFC 7009): codes and tokens. Refuses sessions and redirects. */

import type { Redacted } from '@guildkit/core';
import { type APIUser, type RESTPostOAuth2AccessTokenResult, Routes } from 'discord-api-types/v10';
import * as z from 'zod';
import { parseInput, snowflake } from '../input.js';
import type { Auth, CallOptions } from '../options.js';
import type { MethodContext } from './context.js';

/** The application that asks. */
export interface OAuth2Client {
  readonly clientId: string;
  readonly clientSecret: string | Redacted;
}

/** A code to exchange. */
export interface CodeExchange extends OAuth2Client {
  readonly code: string;
  /** The one the user was sent away with. */
  readonly redirectUri: string;
  /** PKCE. */
  readonly codeVerifier?: string | undefined;
}

/** A token to renew. */
export interface TokenRefresh extends OAuth2Client {
  readonly refreshToken: string;
}

/** A token to withdraw. */
export interface TokenRevocation extends OAuth2Client {
  readonly token: string;
  readonly tokenTypeHint?: 'access_token' | 'refresh_token' | undefined;
}

const secret = z.union([
  z.string().min(1),
  z.custom<Redacted>((value) => typeof (value as Redacted)?.reveal === 'function'),
]);
const client = z.strictObject({ clientId: snowflake, clientSecret: secret });
const codeExchange = client.extend({
  code: z.string().min(1),
  redirectUri: z.url(),
  codeVerifier: z
    .string()
    .regex(/^[\w.~-]{43,128}$/, 'must be 43 to 128 unreserved characters')
    .optional(),
});
const tokenRefresh = client.extend({ refreshToken: z.string().min(1) });
const tokenRevocation = client.extend({
  token: z.string().min(1),
  tokenTypeHint: z.enum(['access_token', 'refresh_token']).optional(),
});

const TOKEN_ROUTE = '/oauth2/token';
const REVOKE_ROUTE = '/oauth2/token/revoke';

export function exchangeCode(
  context: MethodContext,
  input: unknown,
  options: CallOptions,
): Promise<RESTPostOAuth2AccessTokenResult> {
  const { code, redirectUri, codeVerifier, ...app } = parseInput(codeExchange, input);
  const form = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: codeVerifier };
  return context.send('POST', TOKEN_ROUTE, { ...options, form, auth: basicOf(app) });
}

export function refreshToken(
  context: MethodContext,
  input: unknown,
  options: CallOptions,
): Promise<RESTPostOAuth2AccessTokenResult> {
  const { refreshToken: token, ...app } = parseInput(tokenRefresh, input);
  // Not repeatable: a refresh token is spent by its first use, and the answer to a second says so.
  const form = { grant_type: 'refresh_token', refresh_token: token };
  return context.send('POST', TOKEN_ROUTE, { ...options, form, auth: basicOf(app) });
}

export function revokeToken(context: MethodContext, input: unknown, options: CallOptions): Promise<void> {
  const { token, tokenTypeHint, ...app } = parseInput(tokenRevocation, input);
  const form = { token, token_type_hint: tokenTypeHint };
  return context
    .send<unknown>('POST', REVOKE_ROUTE, { ...options, form, auth: basicOf(app), repeatable: true })
    .then(() => {});
}

export function getCurrentUser(context: MethodContext, auth: Auth | undefined, options: CallOptions): Promise<APIUser> {
  return context.send('GET', Routes.user(), { ...options, auth });
}

function basicOf({ clientId, clientSecret }: z.output<typeof client>): Auth {
  return { basic: { id: clientId, secret: clientSecret } };
}
