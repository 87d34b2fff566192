/**
 * Owns one REST request from its head to its answer: version, route, token, rate limit, body. Synchronous and without
 * sockets, so it can be driven by itself. Refuses to know what a route does.
 */
import { messageOf } from '@guildkit/core';
import { bucketHash, limitBody, limitHeaders, type RateLimiter } from './protocol/rest/rate-limit.js';
import {
  failure,
  internalError,
  invalidForm,
  invalidJson,
  methodNotAllowed,
  notFound,
  type Reply,
  unauthorized,
} from './protocol/rest/reply.js';
import { MAJOR_PARAMS, matchRoute, type RestContext, type Route } from './protocol/rest/router.js';
import { ROUTES } from './protocol/routes/index.js';
import type { WorldEvent } from './protocol/world/events.js';
import type { Bot, World } from './protocol/world/types.js';
import type { TrafficLog } from './traffic.js';

/** What the API works with. */
export interface RestApiOptions {
  readonly world: World;
  /** `undefined`: nothing is limited and no limit headers are sent. */
  readonly limiter: RateLimiter | undefined;
  readonly traffic: TrafficLog;
  readonly shards: number;
  gatewayUrl(): string;
  botOf(token: string): Bot | undefined;
  broadcast(events: readonly WorldEvent[]): void;
  now(): number;
  wallTime(): number;
}

/** A request whose body has been read. */
export interface RestRequest {
  readonly method: string;
  /** Path and query as sent: `/api/v10/users/@me?x=1`. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** What goes back. */
export interface RestResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** `/api`, with or without a version. */
const BASE = /^\/api(?:\/v(\d{1,3}))?(?=\/|$)/;
const VERSIONS: readonly string[] = ['9', '10'];
const NOBODY: Bot = { id: '0', privilegedIntents: 0, guildIds: new Set(), identifies: 0 };

/** Discord's REST API over the world. */
export class RestApi {
  constructor(private readonly options: RestApiOptions) {}

  /** Answers a request. Never throws: a handler that fails is a counted 500. */
  handle(request: RestRequest): RestResponse {
    const { traffic } = this.options;
    traffic.counters.restRequests += 1;
    const reply = this.answer(request);
    if (reply.status === 429) traffic.counters.restRateLimited += 1;
    else if (reply.status >= 400) traffic.counters.restErrors += 1;
    const reason = headerOf(request, 'x-audit-log-reason');
    const path = splitTarget(request.target).path.slice(0, 200);
    traffic.add(
      'rest',
      'in',
      `${request.method} ${path} ${reply.status}`,
      reason === undefined ? undefined : { reason: decode(reason).slice(0, 512) },
    );
    if (reply.events !== undefined) this.options.broadcast(reply.events);
    const body = reply.body === undefined ? '' : JSON.stringify(reply.body);
    return { status: reply.status, headers: { 'content-type': 'application/json', ...reply.headers }, body };
  }

  private answer(request: RestRequest): Reply {
    const { path, query } = splitTarget(request.target);
    const base = BASE.exec(path);
    if (base === null) return notFound();
    if (base[1] !== undefined && !VERSIONS.includes(base[1])) return failure(400, 50041, 'Invalid API version');
    const match = matchRoute(ROUTES, request.method, decode(path.slice(base[0].length)));
    if (match.kind === 'notFound') return notFound();
    if (match.kind === 'methodNotAllowed') return methodNotAllowed();
    const bot = this.authenticate(request);
    if (match.kind === 'badId') {
      if (bot === undefined) return unauthorized();
      const field = match.param.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      const message = `Value "${match.value.slice(0, 40)}" is not snowflake.`;
      return invalidForm([{ path: [field], code: 'NUMBER_TYPE_COERCE', message }]);
    }
    if (bot === undefined && match.route.auth === 'bot') return unauthorized();
    return this.limited(match.route, match.params, bot, () =>
      this.call(match.route, match.params, query, bot, request),
    );
  }

  private limited(route: Route, params: RestContext['params'], bot: Bot | undefined, call: () => Reply): Reply {
    const { limiter, now, wallTime } = this.options;
    if (limiter === undefined) return call();
    const major = MAJOR_PARAMS.map((name) => params[name]).find((value) => value !== undefined) ?? '';
    const bucket = bucketHash(`${route.method} ${route.path}`);
    const verdict = limiter.check({ who: bot?.id ?? 'anonymous', bucket, major, rule: route.limit, now: now() });
    const headers = limitHeaders(verdict, wallTime());
    return verdict.allowed ? { ...call(), headers } : { status: 429, body: limitBody(verdict), headers };
  }

  private call(
    route: Route,
    params: RestContext['params'],
    query: RestContext['query'],
    bot: Bot | undefined,
    request: RestRequest,
  ): Reply {
    const body = readBody(request);
    if ('problem' in body) return body.problem;
    const { world, shards, traffic, gatewayUrl } = this.options;
    try {
      return route.handle({
        world,
        bot: bot ?? NOBODY,
        params,
        query,
        body: body.value,
        gatewayUrl: gatewayUrl(),
        shards,
      });
    } catch (error) {
      traffic.counters.internalErrors += 1;
      traffic.add('rest', 'out', 'handler failed', { message: messageOf(error).slice(0, 200) });
      return internalError();
    }
  }

  private authenticate(request: RestRequest): Bot | undefined {
    const token = /^Bot\s+(\S{1,200})$/i.exec(headerOf(request, 'authorization') ?? '')?.[1];
    return token === undefined ? undefined : this.options.botOf(token);
  }
}

function readBody({ body, headers }: RestRequest): { readonly value: unknown } | { readonly problem: Reply } {
  if (body === '') return { value: undefined };
  const type = headers['content-type'];
  if (typeof type !== 'string' || !/^application\/json\b/i.test(type)) {
    const message = `Expected "Content-Type" header to be one of {'application/json'}.`;
    return { problem: failure(400, 50035, message) };
  }
  try {
    return { value: JSON.parse(body) as unknown };
  } catch {
    return { problem: invalidJson() };
  }
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

/** Percent-decoding that leaves what is malformed as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
