/**
 * Owns how a path becomes a rate-limit route: the template that names it and the major parameters that split its
 * buckets. Refuses to build URLs.
 *
 * Discord, Rate Limits: "top-level resources" are `channel_id`, `guild_id` and `webhook_id` or
 * `webhook_id + webhook_token`; interactions count by their token.
 */

/** A path, seen by the rate limits. */
export interface RouteInfo {
  readonly method: string;
  /** `/channels/:id/messages/:id`. Holds no id and no token: safe to print. */
  readonly template: string;
  /** Method and template, with a space between them. */
  readonly route: string;
  /** Major parameters, `channels/123`. May hold a webhook's or interaction's token: never print it. */
  readonly major: string;
  /** The major parameter that may be printed: the id alone, or `''`. */
  readonly majorId: string;
  /** Interaction callbacks and their follow-ups: not bound to the bot's global limit. */
  readonly exempt: boolean;
}

/** Snowflakes have 17 to 20 digits today; sandboxes and tests may use shorter ones. */
const SNOWFLAKE = /^\d{5,20}$/;
/** What a literal of Discord's paths looks like, `@me` and `@original` included; anything else is a value. */
const LITERAL = /^@?[a-z][a-z0-9_.-]{0,31}$/;
/** Segments whose successor is a value that may look like a literal: an invite's or template's code, an emoji. */
const VALUE_AFTER: Readonly<Record<string, string>> = {
  invites: ':code',
  templates: ':code',
  reactions: ':emoji',
};
const MAJORS: ReadonlySet<string> = new Set(['channels', 'guilds', 'webhooks']);

/** Templates a path. A query is ignored. */
export function routeOf(method: string, path: string): RouteInfo {
  const query = path.indexOf('?');
  const segments = (query < 0 ? path : path.slice(0, query)).split('/').filter(Boolean);
  const [top = '', id = '', token] = segments;
  let template = segments.length === 0 ? '/' : '';
  for (let at = 0; at < segments.length; at += 1) template += `/${templated(segments, segments[at] ?? '', at)}`;
  const route = `${method} ${template}`;
  if (top === 'interactions' && id !== '') {
    return { method, template, route, major: `interactions/${id}/${token ?? ''}`, majorId: id, exempt: true };
  }
  if (top === 'webhooks' && id !== '' && token !== undefined) {
    // A follow-up of an interaction is a webhook of the application, told by its token's length and shape.
    const exempt = isInteractionToken(token);
    return { method, template, route, major: `webhooks/${id}/${token}`, majorId: id, exempt };
  }
  if (MAJORS.has(top) && SNOWFLAKE.test(id)) {
    return { method, template, route, major: `${top}/${id}`, majorId: id, exempt: false };
  }
  return { method, template, route, major: '', majorId: '', exempt: false };
}

function templated(segments: readonly string[], segment: string, at: number): string {
  const top = segments[0];
  if (at === 2 && (top === 'webhooks' || top === 'interactions')) return ':token';
  if (SNOWFLAKE.test(segment)) return ':id';
  const before = segments[at - 1];
  const value = before === undefined ? undefined : VALUE_AFTER[before];
  if (value !== undefined && !(before === 'templates' && at < 2)) return value;
  return LITERAL.test(segment) ? segment : ':value';
}

/** Interaction tokens are base64 of `interaction:…`; a webhook's own token never starts so. */
function isInteractionToken(token: string): boolean {
  return token.startsWith('aW50ZXJhY3Rpb246');
}
