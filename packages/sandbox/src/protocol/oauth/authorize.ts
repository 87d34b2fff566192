/**
 * Owns what an authorization request says (RFC 6749 §4.1.1, RFC 7636 §4.3; Discord docs, OAuth2): reads and judges
 * it. What cannot be trusted to be redirected is shown to the user; every other fault goes back to the application.
 */
import type { RestContext } from '../rest/router.js';
import type { Bot } from '../world/types.js';

/** Name of a scope. */
export type Scope = 'identify' | 'email' | 'guilds' | 'guilds.join' | 'guilds.members.read';

/** Scopes that the sandbox grants, as its page says them. */
export const SCOPES = {
  identify: 'Know your user name and avatar',
  email: 'Know your email address',
  guilds: 'Know which servers you are in',
  'guilds.join': 'Join servers for you',
  'guilds.members.read': 'Read your nickname and roles in servers',
} as const satisfies Record<Scope, string>;

/** Errors that are sent back to the application (RFC 6749 §4.1.2.1). */
export type AuthorizeError = 'invalid_request' | 'unsupported_response_type' | 'invalid_scope' | 'access_denied';

/** A request that can be shown to the user. */
export interface AuthorizeRequest {
  readonly client: Bot;
  readonly redirectUri: string;
  readonly scopes: readonly Scope[];
  readonly state: string | undefined;
  readonly challenge: string | undefined;
  /** `none`: who agreed to as much before is not asked again. */
  readonly prompt: 'consent' | 'none';
}

/** What became of an authorization request. */
export type Judgement =
  | { readonly kind: 'ask'; readonly request: AuthorizeRequest }
  | { readonly kind: 'redirect'; readonly location: string }
  | { readonly kind: 'refuse'; readonly says: string };

const MAX_STATE_CHARS = 2_000;
const MAX_URI_CHARS = 2_000;

/** Judges the parameters of an authorization request. */
export function judgeAuthorize(
  { world, services }: RestContext,
  query: Readonly<Partial<Record<string, string>>>,
): Judgement {
  const client = world.bots.get(query.client_id ?? '');
  if (client === undefined) return { kind: 'refuse', says: 'Unknown application: client_id names none.' };
  const redirectUri = query.redirect_uri ?? '';
  if (!services.acceptsRedirect(client.id, redirectUri)) {
    return { kind: 'refuse', says: 'Invalid OAuth2 redirect_uri: it is not registered for this application.' };
  }
  const state = query.state;
  if (state !== undefined && state.length > MAX_STATE_CHARS) return { kind: 'refuse', says: 'The state is too long.' };
  const back = (error: AuthorizeError, description: string): Judgement => ({
    kind: 'redirect',
    location: withParams(redirectUri, { error, error_description: description, state }),
  });
  if (query.response_type !== 'code') {
    return back('unsupported_response_type', 'Only the authorization code grant is supported');
  }
  const scopes = [...new Set((query.scope ?? '').split(' ').filter((scope) => scope !== ''))];
  if (scopes.length === 0 || !scopes.every(isScope)) {
    return back('invalid_scope', 'The requested scope is invalid, unknown, or malformed.');
  }
  const challenge = query.code_challenge;
  if (challenge !== undefined && query.code_challenge_method !== 'S256') {
    return back('invalid_request', 'code_challenge_method must be S256');
  }
  if (challenge !== undefined && !/^[\w-]{43}$/.test(challenge)) {
    return back('invalid_request', 'code_challenge must be 43 characters of base64url');
  }
  const prompt = query.prompt === 'none' ? 'none' : 'consent';
  return { kind: 'ask', request: { client, redirectUri, scopes, state, challenge, prompt } };
}

/** Adds parameters to a redirect URI that may have a query. Values that are `undefined` are left out. */
export function withParams(uri: string, params: Readonly<Record<string, string | undefined>>): string {
  const added = Object.entries(params)
    .filter((entry): entry is [string, string] => entry[1] !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
  return `${uri}${uri.includes('?') ? '&' : '?'}${added}`;
}

const isScope = (scope: string): scope is Scope => Object.hasOwn(SCOPES, scope);

/** Whether a URI may be registered at all: absolute, http or https, without a fragment (RFC 6749 §3.1.2). */
export function isRedirectUri(uri: string): boolean {
  return uri.length <= MAX_URI_CHARS && /^https?:\/\/[\w.[\]:-]+(?:[/?][^\s#"'<>\\]*)?$/i.test(uri);
}

/** Whether a URI leads to this machine: accepted for applications that registered none. */
export const isLocalUri = (uri: string): boolean =>
  isRedirectUri(uri) && /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?(?:[/?]|$)/i.test(uri);

/** Scheme and host of a URI. */
export const originOf = (uri: string): string => /^https?:\/\/[^/?#]+/i.exec(uri)?.[0] ?? '';
