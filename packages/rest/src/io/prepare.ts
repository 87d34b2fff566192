/** Owns how a call becomes a request: URL, query, headers, body, identity. Refuses to send. */
import { createHash } from 'node:crypto';
import type { Redacted } from '@guildkit/core';
import { DiscordRestError, InvalidInputError } from '../errors.js';
import type { Auth, HttpMethod, RequestOptions } from '../options.js';
import { isRepeatable } from '../protocol/retry.js';
import type { RouteInfo } from '../protocol/route.js';
import { hasVariants, sublimitsOf, variantOf } from '../protocol/sublimits.js';
import { BOT_IDENTITY } from './limiter.js';
import { encodeMultipart } from './multipart.js';
import type { Routes } from './routes.js';
import { type PreparedRequest, parseJson } from './run.js';

/** What stays the same for all requests of a client. */
export interface PrepareContext {
  /** Of the bot: `Bot <token>`. */
  readonly authorization: Redacted | undefined;
  readonly origin: string;
  /** Path of the API's base, without a trailing slash. */
  readonly basePath: string;
  readonly userAgent: string;
  readonly requestTimeoutMs: number;
  /** Routes of paths that were asked for before. */
  readonly routes: Routes;
  /** Unix ms. */
  readonly wallTime: () => number;
}

/** Discord's bound on an audit-log reason, in characters. */
const MAX_REASON = 512;
const METHODS: readonly HttpMethod[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/**
 * Prepares a request.
 *
 * @throws InvalidInputError naming what is wrong.
 * @throws DiscordRestError `ERR_REST_TOKEN_MISSING`.
 */
export function prepare(
  context: PrepareContext,
  method: HttpMethod,
  path: string,
  options: RequestOptions,
): PreparedRequest {
  // One that is written otherwise would be taken for one that may be sent twice.
  if (!METHODS.includes(method)) throw refused('method', `must be one of ${METHODS.join(', ')}`);
  const known = context.routes.find(method, path);
  const route = known ?? context.routes.add(method, checkedPath(path));
  const { authorization, identity } = authorize(context, options.auth, route);
  const headers: Record<string, string> = { 'user-agent': context.userAgent };
  if (authorization !== undefined) headers.authorization = authorization;
  if (options.reason !== undefined) headers['x-audit-log-reason'] = auditReason(options.reason);
  const body = encodeBody(options, headers);
  return {
    method,
    origin: context.origin,
    path: `${context.basePath}${withQuery(path, options.query)}`,
    route,
    variant: hasVariants(route.route) ? variantOf(route.route, path, context.wallTime()) : '',
    identity,
    sublimits: sublimitsOf(route.route, options.body),
    headers,
    body,
    repeatable: options.repeatable ?? isRepeatable(method, options.body),
    timeoutMs: options.timeoutMs ?? context.requestTimeoutMs,
    signal: options.signal,
  };
}

/** A path that cannot leave the API: no scheme, no host, no dot segments, no control characters. */
function checkedPath(path: string): string {
  const wrong = (message: string): never => {
    throw refused('route', message);
  };
  if (typeof path !== 'string' || !path.startsWith('/') || path.startsWith('//'))
    return wrong('must start with one "/"');
  if (/[\s\\#\u0000-\u001f\u007f-\uffff]/.test(path)) return wrong('must be URL-encoded, without a fragment');
  // An id that came from outside must not turn one route into another.
  if (/(^|\/)(\.|%2e){1,2}(\/|\?|$)/i.test(path)) return wrong('must not hold dot segments');
  return path;
}

function authorize(
  { authorization: bot }: PrepareContext,
  auth: Auth = 'bot',
  route: RouteInfo,
): { authorization: string | undefined; identity: string } {
  if (auth === 'none') return { authorization: undefined, identity: 'none' };
  if (auth === 'bot') {
    // With the token in the path nothing else is needed, and a bot without a token may use them.
    if (bot === undefined && route.route.includes(':token')) return { authorization: undefined, identity: 'none' };
    if (bot === undefined) {
      const { method, template } = route;
      throw new DiscordRestError(`${method} ${template}: the client has no token`, {
        code: 'ERR_REST_TOKEN_MISSING',
        method,
        route: template,
        requestId: '',
        attempts: 0,
      });
    }
    return { authorization: bot.reveal(), identity: BOT_IDENTITY };
  }
  if ('bearer' in auth) {
    const bearer = reveal(auth.bearer);
    // A line break would end the header; the value itself must not be printed.
    if (typeof bearer !== 'string' || !/^[\x21-\x7e]+$/.test(bearer)) {
      throw refused('auth.bearer', 'must be an access token');
    }
    return { authorization: `Bearer ${bearer}`, identity: `bearer ${fingerprint(bearer)}` };
  }
  const basic = Buffer.from(`${auth.basic.id}:${reveal(auth.basic.secret)}`).toString('base64');
  return { authorization: `Basic ${basic}`, identity: `basic ${auth.basic.id}` };
}

function reveal(secret: string | Redacted): string {
  return typeof secret === 'string' ? secret : secret.reveal();
}

/** Tells tokens apart in keys without keeping them there. */
export function fingerprint(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url').slice(0, 16);
}

/** Discord, Audit Logs: the header is URL-encoded; HTTP headers hold no line breaks and no Unicode. */
function auditReason(reason: string): string {
  if (typeof reason !== 'string' || reason.length > MAX_REASON) {
    throw refused('reason', `must be text of at most ${MAX_REASON} characters`);
  }
  return encodeURIComponent(reason.replace(/\p{Surrogate}/gu, '\ufffd'));
}

/** Fields of bodies and forms that are credentials. */
const SECRET_FIELDS = ['access_token', 'client_secret', 'code', 'code_verifier', 'refresh_token', 'token'] as const;

/** What a request was trusted with: an answer may echo it. */
export function secretsIn({ headers, body }: PreparedRequest): string[] {
  const credential = headers.authorization?.split(' ')[1];
  const sent = typeof body === 'string' ? body : '';
  const isForm = headers['content-type'] === 'application/x-www-form-urlencoded';
  const fields: unknown = isForm ? Object.fromEntries(new URLSearchParams(sent)) : parseJson(sent);
  const values = SECRET_FIELDS.map((name) => (fields as Readonly<Record<string, unknown>> | null | undefined)?.[name]);
  return [credential, ...values].filter((value) => typeof value === 'string');
}

function refused(path: string, message: string): InvalidInputError {
  return new InvalidInputError(`${path} ${message}`, [{ path, message }]);
}

function withQuery(path: string, query: RequestOptions['query']): string {
  if (query === undefined) return path;
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) search.append(key, String(one));
  }
  const text = search.toString();
  if (text === '') return path;
  return `${path}${path.includes('?') ? '&' : '?'}${text}`;
}

function encodeBody(
  { body, form, files }: RequestOptions,
  headers: Record<string, string>,
): string | Uint8Array | undefined {
  if (files !== undefined && files.length > 0) {
    const { contentType, bytes } = encodeMultipart(body, files);
    headers['content-type'] = contentType;
    return bytes;
  }
  if (form !== undefined) {
    headers['content-type'] = 'application/x-www-form-urlencoded';
    return new URLSearchParams(
      Object.entries(form).filter((pair): pair is [string, string] => pair[1] !== undefined),
    ).toString();
  }
  if (body === undefined) return undefined;
  headers['content-type'] = 'application/json';
  return JSON.stringify(body);
}
