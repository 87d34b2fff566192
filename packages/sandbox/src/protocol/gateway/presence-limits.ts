/**
 * Owns how often a session may change its presence: five times in twenty seconds (Discord docs, Gateway Events: Update
 * Presence). Discord does not say what becomes of more; clients report that nothing does, so it is ignored without a word.
 */

/** Changes in a time. */
export interface PresenceRules {
  /** `Infinity` for any number. */
  readonly limit: number;
  readonly windowMs: number;
}

/** Discord's own. */
export const PRESENCE_RULES: PresenceRules = { limit: 5, windowMs: 20_000 };

/** When each session changed its presence. */
export class PresenceLimits {
  /** Those within the window, oldest first. */
  private readonly changes = new Map<string, readonly number[]>();

  constructor(private readonly rules: PresenceRules) {}

  /** Whether a change is heard, which counts it. */
  take(sessionId: string, now: number): boolean {
    const { limit, windowMs } = this.rules;
    const recent = (this.changes.get(sessionId) ?? []).filter((at) => at + windowMs > now);
    if (recent.length >= limit) return false;
    if (limit < Number.POSITIVE_INFINITY) this.changes.set(sessionId, [...recent, now]);
    return true;
  }

  /** A session is over. */
  forget(sessionId: string): void {
    this.changes.delete(sessionId);
  }
}
