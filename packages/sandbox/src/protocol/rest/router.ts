/** Owns the route table's shape and the matching of paths. Pure. */
import type { Bot, World } from '../world/types.js';
import type { LimitRule } from './rate-limit.js';
import type { Reply } from './reply.js';

/** What a handler gets. */
export interface RestContext {
  readonly world: World;
  /** Who asks. Only routes with `auth: 'none'` are called without. */
  readonly bot: Bot;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** Parsed JSON; `undefined` without a body. */
  readonly body: unknown;
  readonly gatewayUrl: string;
  readonly shards: number;
}

/** What a request is matched against. */
export interface RoutePattern {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** `/guilds/:guildId/channels`. A parameter that ends in `Id` must be a snowflake. */
  readonly path: string;
}

/** One line of Discord's table. The docs' table of what is emulated is made from it. */
export interface Route extends RoutePattern {
  readonly summary: string;
  readonly auth: 'bot' | 'none';
  readonly limit: LimitRule;
  handle(context: RestContext): Reply;
}

/** A path's match. */
export type RouteMatch<R extends RoutePattern> =
  | { readonly kind: 'found'; readonly route: R; readonly params: Readonly<Record<string, string>> }
  | { readonly kind: 'badId'; readonly param: string; readonly value: string }
  | { readonly kind: 'methodNotAllowed' }
  | { readonly kind: 'notFound' };

/** Parameters by which Discord counts separately (Discord docs, Rate Limits: top-level resources). */
export const MAJOR_PARAMS = ['guildId', 'channelId', 'webhookId'] as const;

/** Finds the route of a request. A literal segment wins over a parameter. */
export function matchRoute<R extends RoutePattern>(routes: readonly R[], method: string, path: string): RouteMatch<R> {
  const segments = path.split('/').slice(1);
  let otherMethod = false;
  let best: { route: R; params: Record<string, string> } | undefined;
  for (const route of routes) {
    const params = matchPath(route.path.split('/').slice(1), segments);
    if (params === undefined) continue;
    if (route.method !== method) {
      otherMethod = true;
      continue;
    }
    if (best === undefined || Object.keys(params).length < Object.keys(best.params).length) best = { route, params };
  }
  if (best === undefined) return { kind: otherMethod ? 'methodNotAllowed' : 'notFound' };
  for (const [param, value] of Object.entries(best.params)) {
    if (param.endsWith('Id') && !/^\d{1,20}$/.test(value)) return { kind: 'badId', param, value };
  }
  return { kind: 'found', ...best };
}

function matchPath(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [at, part] of pattern.entries()) {
    const segment = segments[at] ?? '';
    if (part.startsWith(':')) {
      if (segment === '') return undefined;
      params[part.slice(1)] = segment;
    } else if (part !== segment) return undefined;
  }
  return params;
}
