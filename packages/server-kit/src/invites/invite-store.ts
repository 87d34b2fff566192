/** Owns what an invite itself cannot carry: that it was called back, and who has used it. */
import { type Clock, check, resolveOptions, systemClock } from '@guildkit/core';
import { InviteError } from './errors.js';

/** What became of a use. */
export type InviteUse =
  /** Counted now. */
  | 'counted'
  /** This user had used it before: once counted, it stays theirs. */
  | 'known'
  /** As many others as may have used it. */
  | 'spent';

/**
 * Remembers revocations and uses until the invites have expired anyway. Unknown means neither revoked nor used: losing the
 * store revives revoked invites, whose rooms are gone, and resets use counts.
 */
export interface InviteStore {
  /** Revokes one invite. Idempotent. */
  revoke(jti: string, expiresAt: number): Promise<void>;
  /** Revokes every invite of a room, those of the future included: channel ids are never used again. */
  revokeRoom(channelId: string, expiresAt: number): Promise<void>;
  /** Whether the invite or its room was revoked. */
  isRevoked(jti: string, channelId: string): Promise<boolean>;
  /** Counts a user's use, atomically: of several at once no more than `maxUses` are `counted` or `known`. */
  use(jti: string, userId: string, maxUses: number, expiresAt: number): Promise<InviteUse>;
}

/** Settings of {@link memoryInviteStore}. */
export interface MemoryInviteStoreOptions {
  /** Revocations and used invites kept at once. @defaultValue 100000 */
  readonly maxEntries?: number | undefined;
  readonly clock?: Clock | undefined;
}

const DEFAULTS: { maxEntries: number; clock: Clock } = { maxEntries: 100_000, clock: systemClock };

interface Entry {
  readonly users: Set<string>;
  readonly expiresAt: number;
}

/** A store in this process. Full, it refuses rather than forgets. `expiresAt` is in unix ms. */
export function memoryInviteStore(options?: MemoryInviteStoreOptions): InviteStore {
  const { maxEntries, clock } = resolveOptions('memoryInviteStore', DEFAULTS, options, {
    maxEntries: check.integer(1),
  });
  const revoked = new Map<string, number>();
  const used = new Map<string, Entry>();

  function makeRoom(): void {
    if (revoked.size + used.size < maxEntries) return;
    const now = clock.wallTime();
    for (const [key, until] of revoked) if (until <= now) revoked.delete(key);
    for (const [key, { expiresAt }] of used) if (expiresAt <= now) used.delete(key);
    if (revoked.size + used.size >= maxEntries) throw new InviteError('ERR_INVITE_STORE_FULL');
  }

  function remember(key: string, expiresAt: number): void {
    if (!revoked.has(key)) makeRoom();
    revoked.set(key, Math.max(expiresAt, revoked.get(key) ?? 0));
  }

  return {
    revoke: async (jti, expiresAt) => remember(`jti ${jti}`, expiresAt),
    revokeRoom: async (channelId, expiresAt) => remember(`room ${channelId}`, expiresAt),
    isRevoked: async (jti, channelId) => revoked.has(`jti ${jti}`) || revoked.has(`room ${channelId}`),
    async use(jti, userId, maxUses, expiresAt) {
      const entry = used.get(jti);
      if (entry?.users.has(userId) === true) return 'known';
      if ((entry?.users.size ?? 0) >= maxUses) return 'spent';
      if (entry === undefined) {
        makeRoom();
        used.set(jti, { users: new Set([userId]), expiresAt });
      } else entry.users.add(userId);
      return 'counted';
    },
  };
}
