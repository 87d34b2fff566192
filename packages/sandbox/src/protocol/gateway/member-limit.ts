/**
 * Owns how often a bot may ask for all members of a guild (Discord docs, Change Log: Introducing Rate Limit When
 * Requesting All Guild Members): once in 30 s, by guild. Queries and requests by id are not limited.
 */
import type { ClientRequest } from './frames.js';

const WINDOW_MS = 30_000;

/** Who asked when. */
export class MemberListLimit {
  private readonly freeAt = new Map<string, number>();

  /** Counts a request. @returns How long to wait instead, in seconds; `undefined` when it may be answered. */
  take(botId: string, request: ClientRequest, now: number): number | undefined {
    if (request.kind !== 'members' || request.userIds !== undefined || request.query !== '' || request.limit !== 0) {
      return undefined;
    }
    const key = `${botId} ${request.guildId}`;
    const freeAt = this.freeAt.get(key) ?? now;
    if (now < freeAt) return (freeAt - now) / 1_000;
    for (const [other, at] of this.freeAt) if (at <= now) this.freeAt.delete(other);
    this.freeAt.set(key, now + WINDOW_MS);
    return undefined;
  }
}
