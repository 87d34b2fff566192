/**
 * Owns when sessions reach their store, and in what order. Refuses to let a store's failure reach the connection: it
 * is told and forgotten.
 */
import type { Clock } from '@guildkit/core';
import type { Session } from '../protocol/session-types.js';
import { isStoredSession, type SessionStore, type StoredSession } from './session-store.js';

/** How often, at most, a growing sequence number is stored: what a killed process had seen since is replayed. */
const SAVE_EVERY_MS = 5_000;

/** Told when a store failed. */
export type StoreFailure = (action: 'load' | 'save', error: unknown) => void;

/** What is kept beside the session itself. */
export type KeptBeside = Pick<StoredSession, 'userId' | 'startedAt' | 'voice'>;

/** One shard's place in a store. */
export class SessionKeeper {
  private savedAt: number;
  private savedSeq: number | undefined;
  private next: (() => Promise<void>) | undefined;
  private writing: Promise<void> | undefined;

  constructor(
    private readonly store: SessionStore,
    private readonly key: string,
    private readonly clock: Clock,
    private readonly onFailure: StoreFailure,
  ) {
    this.savedAt = clock.wallTime();
  }

  /** The session of an earlier process, with what was kept beside it. */
  async load(): Promise<({ readonly session: Session } & KeptBeside) | undefined> {
    try {
      const stored: unknown = await this.store.load(this.key);
      if (!isStoredSession(stored)) return undefined;
      const { sessionId: id, seq, resumeUrl, userId, voice } = stored;
      const startedAt = Number.isFinite(stored.startedAt) ? stored.startedAt : undefined;
      return { session: { id, seq, resumeUrl }, userId, startedAt, voice };
    } catch (error) {
      this.onFailure('load', error);
      return undefined;
    }
  }

  /** Stores now. */
  save({ id: sessionId, seq, resumeUrl }: Session, beside: KeptBeside): void {
    const savedAt = this.clock.wallTime();
    this.savedAt = savedAt;
    this.savedSeq = seq;
    this.write(() => this.store.save(this.key, { sessionId, seq, resumeUrl, savedAt, ...beside }));
  }

  /** Whether the last save is old, and something has happened since. */
  isDue(seq: number | undefined, now: number = this.clock.wallTime()): boolean {
    return seq !== this.savedSeq && now - this.savedAt >= SAVE_EVERY_MS;
  }

  /** Forgets the session. */
  remove(): void {
    // A new one is saved at its READY.
    this.savedAt = this.clock.wallTime();
    this.savedSeq = undefined;
    this.write(() => this.store.remove(this.key));
  }

  /** Resolves when everything is written. */
  async flush(): Promise<void> {
    await this.writing;
  }

  /**
   * One write after the other: a removal must not be overtaken by an older save. Of those that wait for a slow store only
   * the last is worth writing.
   */
  private write(action: () => Promise<void>): void {
    this.next = action;
    this.writing ??= this.writeAll();
  }

  private async writeAll(): Promise<void> {
    for (let action = this.next; action !== undefined; action = this.next) {
      this.next = undefined;
      try {
        await action();
      } catch (error) {
        this.onFailure('save', error);
      }
    }
    this.writing = undefined;
  }
}
