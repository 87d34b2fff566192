/** Owns the OAuth2 routes: the authorize page, tokens and what they stand for (RFC 6749, 7009, 7636; Discord docs, OAuth2). */
import { type AuthorizeRequest, judgeAuthorize, originOf, withParams } from '../oauth/authorize.js';
import { ACCESS_TTL_S, type TokenPair } from '../oauth/book.js';
import { authorizePage, refusalPage } from '../payloads/authorize-page.js';
import { userPayload } from '../payloads/guild.js';
import { applicationPayload } from '../payloads/ready.js';
import { ok, type Reply, unauthorized } from '../rest/reply.js';
import type { RestContext, Route } from '../rest/router.js';
import type { World } from '../world/types.js';
import { userOf } from '../world/world.js';

const PAGE = { limit: 100, windowMs: 10_000 } as const;
const TOKEN = { limit: 50, windowMs: 10_000 } as const;

/** People on the page; others are chosen with `login_hint`. */
const MAX_SHOWN = 200;

/** Tokens and codes must not be kept by anything in between (RFC 6749 §5.1). */
const NO_STORE = { 'cache-control': 'no-store', pragma: 'no-cache' } as const;

export const oauthRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/oauth2/authorize',
    summary: 'Page on which to choose a person and to agree; also without `/api`',
    auth: 'none',
    limit: PAGE,
    handle: (context) => {
      const judged = judgeAuthorize(context, context.query);
      if (judged.kind === 'refuse') return refuse(judged.says);
      if (judged.kind === 'redirect') return redirect(judged.location);
      const { request } = judged;
      const chosen = context.query.login_hint;
      if (request.prompt === 'none' && chosen !== undefined && agreedBefore(context, request, chosen)) {
        return redirect(approve(context, request, chosen));
      }
      return ask(context, request, chosen);
    },
  },
  {
    method: 'POST',
    path: '/oauth2/authorize',
    summary: 'The page’s form',
    auth: 'none',
    limit: PAGE,
    takes: 'form',
    handle: (context) => {
      const fields = fieldsOf(context);
      const judged = judgeAuthorize(context, fields);
      if (judged.kind === 'refuse') return refuse(judged.says);
      if (judged.kind === 'redirect') return redirect(judged.location);
      const { request } = judged;
      if (fields.decision !== 'approve') return redirect(deny(request));
      const userId = fields.user_id ?? '';
      if (!isPerson(context.world, userId)) return ask(context, request, undefined);
      return redirect(approve(context, request, userId));
    },
  },
  {
    method: 'POST',
    path: '/oauth2/token',
    summary: 'Tokens for a code (PKCE with S256) or a refresh token, which is used up',
    auth: 'none',
    limit: TOKEN,
    takes: 'form',
    handle: token,
  },
  {
    method: 'POST',
    path: '/oauth2/token/revoke',
    summary: 'End every token of the user for the application',
    auth: 'none',
    limit: TOKEN,
    takes: 'form',
    handle: (context) => {
      const clientId = clientOf(context);
      if (clientId === undefined) return invalidClient(context);
      const { token: revoked } = fieldsOf(context);
      if (revoked === undefined) return oauthError(400, 'invalid_request', 'Missing "token" in request.');
      context.services.oauth.revoke(revoked, clientId);
      return { ...ok({}), headers: NO_STORE };
    },
  },
  {
    method: 'GET',
    path: '/oauth2/@me',
    summary: 'What an OAuth2 token stands for',
    auth: 'bearer',
    limit: { limit: 30, windowMs: 10_000 },
    handle: ({ world, grant, services }) => {
      const bot = world.bots.get(grant?.clientId ?? '');
      if (grant === undefined || bot === undefined) return unauthorized();
      const { scopes, expiresAt, userId } = grant;
      return ok({
        application: applicationPayload(world, bot),
        scopes: [...scopes],
        expires: services.stamp(expiresAt),
        ...(scopes.includes('identify') ? { user: userPayload(userOf(world, userId)) } : {}),
      });
    },
  },
];

/** Makes the code that a user's consent is worth, and the address that carries it back. */
export function approve(
  { services, now }: Pick<RestContext, 'services' | 'now'>,
  { client, scopes, redirectUri, challenge, state }: AuthorizeRequest,
  userId: string,
): string {
  const code = services.oauth.createCode({ clientId: client.id, userId, scopes, redirectUri, challenge }, now);
  return withParams(redirectUri, { code, state });
}

/** The address that carries a denial back. */
export function deny({ redirectUri, state }: AuthorizeRequest): string {
  const error_description = 'The resource owner or authorization server denied the request';
  return withParams(redirectUri, { error: 'access_denied', error_description, state });
}

function token(context: RestContext): Reply {
  const { services, now } = context;
  const fields = fieldsOf(context);
  const clientId = clientOf(context);
  if (clientId === undefined) return invalidClient(context);
  let pair: TokenPair | undefined;
  switch (fields.grant_type) {
    case 'authorization_code': {
      if (fields.code === undefined) return oauthError(400, 'invalid_request', 'Missing "code" in request.');
      const { code_verifier: verifier, redirect_uri: redirectUri = '' } = fields;
      if (verifier !== undefined && !/^[\w.~-]{43,128}$/.test(verifier)) {
        return oauthError(400, 'invalid_grant', 'Invalid "code_verifier" in request.');
      }
      const challenge = verifier === undefined ? undefined : services.sha256(verifier);
      pair = services.oauth.exchange(fields.code, { clientId, redirectUri, challenge }, now);
      if (pair === undefined) return oauthError(400, 'invalid_grant', 'Invalid "code" in request.');
      break;
    }
    case 'refresh_token':
      if (fields.refresh_token === undefined) {
        return oauthError(400, 'invalid_request', 'Missing "refresh_token" in request.');
      }
      pair = services.oauth.refresh(fields.refresh_token, clientId, now);
      if (pair === undefined) return oauthError(400, 'invalid_grant', 'Invalid "refresh_token" in request.');
      break;
    case undefined:
      return oauthError(400, 'invalid_request', 'Missing "grant_type" in request.');
    default:
      return oauthError(400, 'unsupported_grant_type', 'This grant_type is not supported.');
  }
  const body = {
    token_type: 'Bearer',
    access_token: pair.accessToken,
    expires_in: ACCESS_TTL_S,
    refresh_token: pair.refreshToken,
    scope: pair.scopes.join(' '),
  };
  return { ...ok(body), headers: NO_STORE };
}

/** The application that authenticated, by Basic or in the form (RFC 6749 §2.3.1). */
function clientOf(context: RestContext): string | undefined {
  const { basic, world, services } = context;
  const fields = fieldsOf(context);
  const id = basic?.user ?? fields.client_id ?? '';
  const secret = basic?.password ?? fields.client_secret ?? '';
  return world.bots.has(id) && secret === services.secretOf(id) ? id : undefined;
}

function invalidClient({ basic }: RestContext): Reply {
  const reply = oauthError(401, 'invalid_client', 'Client authentication failed.');
  return basic === undefined ? reply : { ...reply, headers: { ...reply.headers, 'www-authenticate': 'Basic' } };
}

function agreedBefore({ services, now }: RestContext, { client, scopes }: AuthorizeRequest, userId: string): boolean {
  return services.oauth.hasConsent({ clientId: client.id, userId, scopes }, now);
}

function ask({ world }: RestContext, request: AuthorizeRequest, chosen: string | undefined): Reply {
  const people = [...world.users.values()]
    .filter(({ id }) => isPerson(world, id))
    // Who is named is shown, however many there are.
    .filter(({ id }, at) => at < MAX_SHOWN || id === chosen)
    .map((user) => ({ user, isMember: [...world.guilds.values()].some(({ members }) => members.has(user.id)) }));
  const fields: Readonly<Record<string, string | undefined>> = {
    client_id: request.client.id,
    redirect_uri: request.redirectUri,
    response_type: 'code',
    scope: request.scopes.join(' '),
    state: request.state,
    code_challenge: request.challenge,
    code_challenge_method: request.challenge === undefined ? undefined : 'S256',
  };
  const sent = Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const html = authorizePage({
    request,
    clientName: userOf(world, request.client.id).username,
    people,
    chosen,
    fields: sent,
  });
  // Browsers hold redirects after a form against form-action, too.
  return { status: 200, html, headers: pageHeaders(`'self' ${originOf(request.redirectUri)}`) };
}

const refuse = (says: string): Reply => ({ status: 400, html: refusalPage(says), headers: pageHeaders(`'none'`) });

const redirect = (location: string): Reply => ({
  status: 302,
  html: '',
  headers: { ...NO_STORE, location, 'referrer-policy': 'no-referrer' },
});

const pageHeaders = (formAction: string): Readonly<Record<string, string>> => ({
  ...NO_STORE,
  'content-security-policy': `default-src 'none'; style-src 'unsafe-inline'; form-action ${formAction}; base-uri 'none'; frame-ancestors 'none'`,
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
});

const oauthError = (status: number, error: string, description: string): Reply => ({
  status,
  body: { error, error_description: description },
  headers: NO_STORE,
});

/** Bots and the guild's owner do not log in. */
function isPerson(world: World, userId: string): boolean {
  const user = world.users.get(userId);
  if (user === undefined || user.bot) return false;
  return ![...world.guilds.values()].some(({ ownerId }) => ownerId === userId);
}

function fieldsOf({ body }: RestContext): Readonly<Partial<Record<string, string>>> {
  return typeof body === 'object' && body !== null ? (body as Readonly<Record<string, string>>) : {};
}
