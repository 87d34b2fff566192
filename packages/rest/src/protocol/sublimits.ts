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

const NONE: readonly Sublimit[] = [];
const CHANNEL_LIMITS: readonly Sublimit[] = [CHANNEL_NAME];
