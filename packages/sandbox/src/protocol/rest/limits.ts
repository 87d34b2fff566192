/** Owns how a request is held against the limits of its route: which bucket, which limits inside it, what the answer says. */
import { bucketHash, type LimitVerdict, limitBody, limitHeaders, type RateLimiter } from './rate-limit.js';
import type { Reply } from './reply.js';
import { MAJOR_PARAMS, type RestContext, type Route } from './router.js';

/** Headers for the answer, or the 429 instead of it. */
export type Judged =
  | { readonly refused: Reply }
  | { readonly refused?: undefined; readonly headers: Readonly<Record<string, string>> };

/** Counts a request. */
export function judgeLimits(
  limiter: RateLimiter,
  route: Route,
  context: RestContext,
  now: number,
  wallTime: number,
): Judged {
  const who = route.auth === 'none' ? 'anonymous' : (context.grant?.userId ?? context.bot.id);
  const major = majorOf(context.params);
  const special = route.bucketOf?.(context);
  const bucket = bucketHash(special?.name ?? route.bucket ?? `${route.method} ${route.path}`);
  const verdict = limiter.check({ who, bucket, major, rule: special?.rule ?? route.limit, now });
  if (!verdict.allowed) return refuse(verdict, wallTime);
  for (const { name, rule, scope, key } of route.sublimits ?? []) {
    const part = key(context);
    if (part === undefined) continue;
    const counted = scope === 'shared' ? `${name}|${major}|${part}` : `${name}|${who}|${major}|${part}`;
    const retryAfterMs = limiter.checkInner(counted, rule, now);
    if (retryAfterMs !== undefined)
      return refuse({ allowed: false, scope, retryAfterMs, state: verdict.state }, wallTime);
  }
  return { headers: limitHeaders(verdict, wallTime) };
}

/** Guild, channel or webhook of the path; a webhook counts with its token (Discord docs, Rate Limits). */
function majorOf(params: RestContext['params']): string {
  const major = MAJOR_PARAMS.map((name) => params[name]).find((value) => value !== undefined) ?? '';
  return params.webhookId !== undefined && params.token !== undefined ? `${major}/${params.token}` : major;
}

function refuse(verdict: Extract<LimitVerdict, { allowed: false }>, wallTime: number): Judged {
  return { refused: { status: 429, body: limitBody(verdict), headers: limitHeaders(verdict, wallTime) } };
}
