/** Owns the route table's shape and the matching of paths. Pure. */
import type { APIGatewaySessionStartLimit } from 'discord-api-types/v10';
import type { OAuthBook, TokenGrant } from '../oauth/book.js';
import type { PermissionName } from '../world/permissions.js';
import type { Bot, World } from '../world/types.js';
import type { LimitRule } from './rate-limit.js';
import type { Reply } from './reply.js';

/** A file of a multipart body. */
export interface UploadedFile {
  /** Form field: `files[0]`. */
  readonly field: string;
  readonly filename: string;
  readonly contentType: string | null;
  readonly bytes: Uint8Array;
}

/** What a handler asks of the platform. */
export interface RestServices {
  readonly oauth: OAuthBook;
  /** SHA-256 of a text as base64url (RFC 7636 §4.2). */
  sha256(text: string): string;
  /** Whether an application may be returned to at an address. */
  acceptsRedirect(applicationId: string, uri: string): boolean;
  /** An application's client secret. */
  secretOf(applicationId: string): string;
  /** Keeps a file of a message; the oldest go when there are too many. */
  keepFile(attachmentId: string, file: UploadedFile): void;
  /** What is left of a bot's IDENTIFYs. */
  startLimit(botId: string): APIGatewaySessionStartLimit;
  /** ISO 8601 of a time in unix ms, as Discord writes it. */
  stamp(at: number): string;
}

/** What a handler gets. */
export interface RestContext {
  readonly world: World;
  /** Who asks, on routes with `auth: 'bot'`; on others nobody in particular. */
  readonly bot: Bot;
  /** Who asks by an OAuth2 token. */
  readonly grant: TokenGrant | undefined;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  /** Parsed JSON, or a form as an object of texts; `undefined` without a body. */
  readonly body: unknown;
  readonly files: readonly UploadedFile[];
  /** User name and password of a Basic authorization. */
  readonly basic: { readonly user: string; readonly password: string } | undefined;
  readonly gatewayUrl: string;
  readonly shards: number;
  /** Unix ms. */
  readonly now: number;
  readonly services: RestServices;
}

/** Who may call a route: a bot, an OAuth2 token (with a scope), either, or anyone. */
export type RouteAuth = 'bot' | 'bearer' | 'any' | 'none';

/** A limit inside a bucket's limit, which no header tells of. */
export interface Sublimit {
  readonly name: string;
  readonly rule: LimitRule;
  /** `shared`: counted over all bots, by the major parameter. */
  readonly scope: 'user' | 'shared';
  /** What it is counted by; `undefined` when the request does not fall under it. */
  key(context: RestContext): string | undefined;
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
  readonly auth: RouteAuth;
  /** With `auth: 'bearer'` or `'any'`: the scope that an OAuth2 token must have. */
  readonly scope?: string;
  /** What a bot must be allowed in the guild or channel of the path. */
  readonly needs?: readonly PermissionName[];
  readonly limit: LimitRule;
  /** Routes with one name share a bucket; without it a route has its own. */
  readonly bucket?: string;
  /** A bucket of its own for some of a route's requests. */
  readonly bucketOf?: (context: RestContext) => { readonly name: string; readonly rule: LimitRule } | undefined;
  readonly sublimits?: readonly Sublimit[];
  /** `form`: takes `application/x-www-form-urlencoded`, `files`: `multipart/form-data` beside JSON. */
  readonly takes?: 'form' | 'files';
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
  // Decoded one by one: an encoded slash is part of its segment.
  const segments = path.split('/').slice(1).map(decode);
  let otherMethod = false;
  let best: { route: R; params: Record<string, string> } | undefined;
  for (const route of routes) {
    const params = matchPath(partsOf(route), segments);
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

/** Percent-decoding that leaves what is malformed as it is. */
export function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A pattern's parts, split once: every request is held against every route. */
const PARTS = new WeakMap<RoutePattern, readonly string[]>();

function partsOf(route: RoutePattern): readonly string[] {
  const known = PARTS.get(route);
  if (known !== undefined) return known;
  const parts = route.path.split('/').slice(1);
  PARTS.set(route, parts);
  return parts;
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
