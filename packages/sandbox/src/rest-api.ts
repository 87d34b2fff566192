/**
 * Owns one REST request from its head to its answer: version, route, token, rate limit, body. Synchronous and without
 * sockets, so it can be driven by itself. Refuses to know what a route does.
 */
import { messageOf } from '@guildkit/core';
import { clientSecretOf, sha256 } from './codec/derive.js';
import { FileStore } from './codec/files.js';
import { parseMultipart, parseUrlEncoded } from './codec/form-body.js';
import { SandboxError } from './errors.js';
import { isLocalUri, judgeAuthorize } from './protocol/oauth/authorize.js';
import { OAuthBook, type TokenGrant, type TokenPair } from './protocol/oauth/book.js';
import { guard } from './protocol/rest/guard.js';
import { judgeLimits } from './protocol/rest/limits.js';
import type { RateLimiter } from './protocol/rest/rate-limit.js';
import {
  failure,
  internalError,
  invalidForm,
  invalidJson,
  methodNotAllowed,
  notFound,
  type Reply,
  tooLarge,
  unauthorized,
} from './protocol/rest/reply.js';
import {
  decode,
  matchRoute,
  type RestContext,
  type RestServices,
  type Route,
  type UploadedFile,
} from './protocol/rest/router.js';
import { NOT_EMULATED, ROUTES } from './protocol/routes/index.js';
import { approve, deny } from './protocol/routes/oauth.js';
import type { WorldEvent } from './protocol/world/events.js';
import type { Bot, World } from './protocol/world/types.js';
import type { TrafficLog } from './traffic.js';

/** What the API works with. */
export interface RestApiOptions {
  readonly world: World;
  readonly seed: number;
  /** `undefined`: nothing is limited and no limit headers are sent. */
  readonly limiter: RateLimiter | undefined;
  readonly traffic: TrafficLog;
  readonly shards: number;
  gatewayUrl(): string;
  botOf(token: string): Bot | undefined;
  startLimit: RestServices['startLimit'];
  broadcast(events: readonly WorldEvent[]): void;
  now(): number;
  wallTime(): number;
  /** ISO 8601 of a time in unix ms. */
  stamp(at: number): string;
}

/** A request whose body has been read. */
export interface RestRequest {
  readonly method: string;
  /** Path and query as sent: `/api/v10/users/@me?x=1`. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** A multipart body instead. */
  readonly bytes?: Buffer | undefined;
}

/** What goes back. */
export interface RestResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** `/api`, with or without a version. */
const BASE = /^\/api(?:\/v(\d{1,3}))?(?=\/|$)/;
const VERSIONS: readonly string[] = ['9', '10'];
const NOBODY: Bot = { id: '0', privilegedIntents: 0, guildIds: new Set(), commands: new Map() };
/** Files that a client may be served inline: what is neither page nor script. */
const INLINE_TYPE = /^(?:image\/(?:png|jpeg|gif|webp)|audio\/[\w.+-]+|video\/[\w.+-]+)$/;
/** One file at most (Discord docs, Reference: Uploading Files). */
const MAX_FILE_BYTES = 10 * 1024 * 1024;
const MAX_FILES = 10;

/** Who asks. */
interface Caller {
  readonly bot: Bot | undefined;
  readonly grant: TokenGrant | undefined;
}

interface ReadBody {
  readonly value: unknown;
  readonly files: readonly UploadedFile[];
}

/** Discord's REST API over the world. */
export class RestApi {
  readonly oauth: OAuthBook;
  /** Addresses that applications may be returned to; for one that has none any on this machine. */
  readonly redirectUris = new Map<string, readonly string[]>();
  private readonly files = new FileStore();
  private readonly services: RestServices;

  constructor(private readonly options: RestApiOptions) {
    this.oauth = new OAuthBook(options.world.random);
    this.services = {
      oauth: this.oauth,
      sha256,
      acceptsRedirect: (applicationId, uri) => {
        const registered = this.redirectUris.get(applicationId);
        return registered === undefined ? isLocalUri(uri) : registered.includes(uri);
      },
      secretOf: (applicationId) => clientSecretOf(options.seed, applicationId),
      keepFile: (id, file) => this.files.add(id, file),
      startLimit: options.startLimit,
      stamp: options.stamp,
    };
  }

  /** An application's client secret. */
  secretOf(applicationId: string): string {
    return this.services.secretOf(applicationId);
  }

  /** What an authorize address leads to when a person agrees, or denies: where the browser is sent. */
  decide(url: string, userId: string | undefined): string {
    const { query } = splitTarget(url);
    const context = this.contextOf({ bot: undefined, grant: undefined }, {}, query, {
      method: 'GET',
      target: url,
      headers: {},
      body: '',
    });
    const judged = judgeAuthorize(context, query);
    if (judged.kind === 'refuse') throw new SandboxError('ERR_SANDBOX_AUTHORIZE_REFUSED', judged.says);
    if (judged.kind === 'redirect') return judged.location;
    return userId === undefined ? deny(judged.request) : approve(context, judged.request, userId);
  }

  /** Tokens for a consent that nobody was asked for. */
  grant(clientId: string, userId: string, scopes: readonly string[]): TokenPair {
    return this.oauth.grant({ clientId, userId, scopes }, this.options.wallTime());
  }

  /** Answers a request. Never throws: a handler that fails is a counted 500. */
  handle(request: RestRequest): RestResponse {
    const { traffic, limiter } = this.options;
    traffic.counters.restRequests += 1;
    const banned = limiter?.bannedFor(this.options.now());
    if (banned !== undefined) {
      traffic.counters.restRateLimited += 1;
      traffic.add('rest', 'in', `${request.method} banned 429`);
      return cloudflareBan(banned);
    }
    const file = this.fileOf(request);
    if (file !== undefined) return file;
    const reply = this.answer(request);
    if (reply.status === 429) traffic.counters.restRateLimited += 1;
    else if (reply.status >= 400) traffic.counters.restErrors += 1;
    limiter?.countInvalid(reply.status, reply.headers?.['x-ratelimit-scope'], this.options.now());
    const reason = headerOf(request, 'x-audit-log-reason');
    const path = shownPath(request.target);
    traffic.add(
      'rest',
      'in',
      `${request.method} ${path} ${reply.status}`,
      reason === undefined ? undefined : { reason: decode(reason).slice(0, 512) },
    );
    if (reply.events !== undefined) this.options.broadcast(reply.events);
    const body = reply.html ?? (reply.body === undefined ? '' : JSON.stringify(reply.body));
    // Nothing has no type: clients parse whatever calls itself JSON.
    const type = reply.html === undefined ? 'application/json' : 'text/html; charset=utf-8';
    const headers = { ...(body === '' ? {} : { 'content-type': type }), ...reply.headers };
    return { status: reply.status, headers, body };
  }

  private answer(request: RestRequest): Reply {
    const { path, query } = splitTarget(request.target);
    const base = BASE.exec(path);
    // The authorize page is the one address that is not under `/api`.
    if (base === null && path !== '/oauth2/authorize') return notFound();
    if (base?.[1] !== undefined && !VERSIONS.includes(base[1])) return failure(400, 50041, 'Invalid API version');
    const target = path.slice(base?.[0].length ?? 0);
    const match = matchRoute(ROUTES, request.method, target);
    if (match.kind === 'notFound' || match.kind === 'methodNotAllowed') {
      const missing = matchRoute(NOT_EMULATED, request.method, target);
      if (missing.kind === 'found')
        return failure(404, 0, `404: Not emulated by the sandbox (${missing.route.summary})`);
      return match.kind === 'notFound' ? notFound() : methodNotAllowed();
    }
    const caller = this.authenticate(request);
    if (match.kind === 'badId') {
      if (caller.bot === undefined && caller.grant === undefined) return unauthorized();
      const field = match.param.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const message = `Value "${match.value.slice(0, 40)}" is not snowflake.`;
      return invalidForm([{ path: [field], code: 'NUMBER_TYPE_COERCE', message }]);
    }
    const { route, params } = match;
    const refused = refusal(route, caller);
    if (refused !== undefined) return refused;
    return this.limited(route, this.contextOf(caller, params, query, request), request);
  }

  private contextOf(
    { bot, grant }: Caller,
    params: RestContext['params'],
    query: RestContext['query'],
    request: RestRequest,
  ): RestContext {
    const { world, shards, gatewayUrl, wallTime } = this.options;
    return {
      world,
      bot: bot ?? NOBODY,
      grant,
      params,
      query,
      body: undefined,
      files: [],
      basic: basicOf(request),
      gatewayUrl: gatewayUrl(),
      shards,
      now: wallTime(),
      services: this.services,
    };
  }

  private limited(route: Route, bare: RestContext, request: RestRequest): Reply {
    const { limiter, now, wallTime } = this.options;
    const body = readBody(route, request);
    const context = 'problem' in body ? bare : { ...bare, body: body.value, files: body.files };
    const call = (): Reply => ('problem' in body ? body.problem : this.call(route, context));
    if (limiter === undefined) return call();
    const judged = judgeLimits(limiter, route, context, now(), wallTime());
    if (judged.refused !== undefined) return judged.refused;
    const reply = call();
    return { ...reply, headers: { ...judged.headers, ...reply.headers } };
  }

  private call(route: Route, context: RestContext): Reply {
    const { traffic } = this.options;
    try {
      return guard(route, context) ?? route.handle(context);
    } catch (error) {
      traffic.counters.internalErrors += 1;
      traffic.add('rest', 'out', 'handler failed', { message: messageOf(error).slice(0, 200) });
      return internalError();
    }
  }

  private authenticate(request: RestRequest): Caller {
    const found = /^(Bot|Bearer)\s+(\S{1,200})$/i.exec(headerOf(request, 'authorization') ?? '');
    const token = found?.[2];
    if (token === undefined) return { bot: undefined, grant: undefined };
    if (found?.[1]?.toLowerCase() === 'bot') return { bot: this.options.botOf(token), grant: undefined };
    return { bot: undefined, grant: this.oauth.find(token, this.options.wallTime()) };
  }

  /** A file of a message, at the address that its message gives. */
  private fileOf(request: RestRequest): RestResponse | undefined {
    const found = /^\/attachments\/\d{1,20}\/(\d{1,20})\/[^/?]+/.exec(request.target);
    if (found === null || request.method !== 'GET') return undefined;
    const file = this.files.get(found[1] ?? '');
    if (file === undefined) return undefined;
    const type = file.contentType !== null && INLINE_TYPE.test(file.contentType) ? file.contentType : undefined;
    return {
      status: 200,
      headers: {
        'content-type': type ?? 'application/octet-stream',
        'x-content-type-options': 'nosniff',
        'content-security-policy': 'sandbox',
        ...(type === undefined ? { 'content-disposition': 'attachment' } : {}),
      },
      body: file.bytes,
    };
  }
}

/** Who may not call a route at all; `undefined` for who may. */
function refusal(route: Route, { bot, grant }: Caller): Reply | undefined {
  if (route.auth === 'none') return undefined;
  const byBot = bot !== undefined && route.auth !== 'bearer';
  if (byBot) return undefined;
  if (grant === undefined || route.auth === 'bot') return unauthorized();
  if (route.scope === undefined || grant.scopes.includes(route.scope)) return undefined;
  return failure(403, 50025, 'Invalid OAuth2 access token');
}

function readBody(route: Route, { body, bytes, headers }: RestRequest): ReadBody | { readonly problem: Reply } {
  const type = String(headers['content-type'] ?? '');
  const takes = ['application/json'];
  if (route.takes === 'form') takes.splice(0, 1, 'application/x-www-form-urlencoded');
  if (route.takes === 'files') takes.push('multipart/form-data');
  if (body === '' && bytes === undefined) return { value: undefined, files: [] };
  if (!takes.some((taken) => type.toLowerCase().startsWith(taken))) {
    const message = `Expected "Content-Type" header to be one of {${takes.map((taken) => `'${taken}'`).join(', ')}}.`;
    return { problem: failure(400, 50035, message) };
  }
  if (route.takes === 'form') return { value: parseUrlEncoded(body), files: [] };
  if (bytes !== undefined) return readFiles(type, bytes);
  return parseJson(body) ?? { problem: invalidJson() };
}

/** A message with files: `payload_json`, or its fields one by one (Discord docs, Reference: Uploading Files). */
function readFiles(type: string, bytes: Buffer): ReadBody | { readonly problem: Reply } {
  const multipart = parseMultipart(type, bytes);
  if (multipart === undefined) return { problem: failure(400, 50035, 'Invalid Form Body') };
  const { fields, files } = multipart;
  if (files.some((file) => file.bytes.byteLength > MAX_FILE_BYTES)) return { problem: tooLarge() };
  if (files.length > MAX_FILES)
    return { problem: failure(400, 30015, 'Maximum number of attachments in a message reached (10)') };
  const payload = fields.get('payload_json');
  if (payload === undefined) return { value: Object.fromEntries(fields), files };
  const parsed = parseJson(payload);
  return parsed === undefined ? { problem: invalidJson() } : { ...parsed, files };
}

function parseJson(text: string): ReadBody | undefined {
  try {
    return { value: JSON.parse(text) as unknown, files: [] };
  } catch {
    return undefined;
  }
}

function basicOf(request: RestRequest): RestContext['basic'] {
  const encoded = /^Basic\s+([A-Za-z0-9+/=_-]{1,400})$/i.exec(headerOf(request, 'authorization') ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon === -1 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function headerOf({ headers }: RestRequest, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function splitTarget(target: string): { readonly path: string; readonly query: Readonly<Record<string, string>> } {
  const mark = target.indexOf('?');
  if (mark === -1) return { path: target, query: {} };
  return { path: target.slice(0, mark), query: Object.fromEntries(new URLSearchParams(target.slice(mark + 1))) };
}

/** A path as the log shows it: without its query, which may hold a code, and without a webhook's token. */
function shownPath(target: string): string {
  return splitTarget(target)
    .path.replace(/(\/webhooks\/\d+\/)[^/]+/, '$1…')
    .slice(0, 200);
}

/** What Discord's edge answers once too many requests were invalid: a page, no JSON and no limit headers. */
function cloudflareBan(forMs: number): RestResponse {
  return {
    status: 429,
    headers: {
      'content-type': 'text/html; charset=UTF-8',
      'retry-after': String(Math.ceil(forMs / 1000)),
      server: 'cloudflare',
    },
    body: '<!doctype html><title>Access denied</title><h1>Error 1015</h1><p>You are being rate limited.</p>',
  };
}
