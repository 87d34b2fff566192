/**
 * Owns the limits inside a bucket that Discord documents, or has named in answers to bug reports, but puts in no
 * header. Without them a client learns each by a 429 of minutes.
 */

/** A limit with its own count. */
export interface Sublimit {
  readonly name: string;
  readonly limit: number;
  readonly windowMs: number;
}

/** Channel name and topic: twice in ten minutes (Discord Developers, API docs issue 1900). */
const CHANNEL_NAME: Sublimit = { name: 'channel name or topic', limit: 2, windowMs: 600_000 };

/** The sublimits a request counts against. */
export function sublimitsOf(route: string, body: unknown): readonly Sublimit[] {
  if (route !== 'PATCH /channels/:id' || typeof body !== 'object' || body === null) return NONE;
  return 'name' in body || 'topic' in body ? CHANNEL_LIMITS : NONE;
}

/** Discord's epoch: snowflakes count milliseconds from 2015. */
const EPOCH_MS = 1_420_070_400_000n;
const TWO_WEEKS_MS = 1_209_600_000;
const JUST_NOW_MS = 10_000;

const DELETE_MESSAGE = 'DELETE /channels/:id/messages/:id';

/** Whether {@link variantOf} has something to say of a route. */
export function hasVariants(route: string): boolean {
  return route === DELETE_MESSAGE;
}

/**
 * What splits the bucket of a route without a header saying so: deleting a message counts apart when it is older than
 * two weeks or younger than ten seconds (Discord Developers, API docs issue 1295).
 *
 * @param wallTime Unix ms.
 */
export function variantOf(route: string, path: string, wallTime: number): string {
  if (!hasVariants(route)) return '';
  const id = /\/messages\/(\d{17,20})/.exec(path)?.[1];
  if (id === undefined) return '';
  const ageMs = wallTime - Number((BigInt(id) >> 22n) + EPOCH_MS);
  return ageMs > TWO_WEEKS_MS ? 'old' : ageMs < JUST_NOW_MS ? 'fresh' : '';
}

const NONE: readonly Sublimit[] = [];
const CHANNEL_LIMITS: readonly Sublimit[] = [CHANNEL_NAME];
