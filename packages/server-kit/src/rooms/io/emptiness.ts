/** Owns empty rooms: each is watched, told before its end, and ended. Refuses to end one by itself: it says that it is time. */
import { createDriver, type Driver, messageOf } from '@guildkit/core';
import { channelRoom } from '@guildkit/core/wire';
import type { GuildState } from '../../shared/guild-state.js';
import type { RoomSettings } from '../options.js';
import {
  type CleanupEffect,
  type CleanupInput,
  type CleanupState,
  createCleanupReducer,
  newCleanup,
} from '../protocol/cleanup.js';
import type { RoomRecord } from '../protocol/room.js';

/** What the watch over empty rooms needs. */
export interface EmptinessHost {
  readonly settings: RoomSettings;
  readonly voice: GuildState;
  /** A room is about to be closed. */
  onClosing(room: RoomRecord, closesAt: number): void;
  /** Someone came: it stays. */
  onKept(room: RoomRecord): void;
  /** Nobody was there for long enough. */
  end(room: RoomRecord): Promise<unknown>;
  /** Something failed that nobody waits for. */
  failed(error: unknown, message: string): void;
}

/** The rooms that are watched. */
export class Emptiness {
  private readonly watches = new Map<string, Driver<CleanupState, CleanupInput>>();
  private isClosed = false;

  constructor(private readonly host: EmptinessHost) {}

  get size(): number {
    return this.watches.size;
  }

  /** Tells the watch of a room; one that is not watched is fine. */
  tell(channelId: string, input: CleanupInput): void {
    this.watches.get(channelId)?.dispatch(input);
  }

  /** The room is over. */
  forget(channelId: string): void {
    this.watches.get(channelId)?.stop();
    this.watches.delete(channelId);
  }

  /** Watches nothing any more. */
  close(): void {
    this.isClosed = true;
    for (const watch of this.watches.values()) watch.stop();
    this.watches.clear();
  }

  /** Watches a room from now on. */
  watch(channelId: string): void {
    if (this.watches.has(channelId) || this.isClosed) return;
    const { clock, logger } = this.host.settings;
    const driver = createDriver<CleanupState, CleanupInput, CleanupEffect>({
      reducer: createCleanupReducer(this.host.settings),
      initial: newCleanup(this.host.settings, clock.now()),
      run: (effect) => this.runCleanup(channelId, effect),
      onEffectError: (error) => logger.error({ channelId, reason: messageOf(error) }, 'cleanup failed'),
      clock,
    });
    this.watches.set(channelId, driver);
  }

  private runCleanup(channelId: string, effect: CleanupEffect): void {
    const { store, logger } = this.host.settings;
    switch (effect.type) {
      case 'look':
        void this.isOccupied(channelId).then((occupied) =>
          this.watches.get(channelId)?.dispatch({ type: 'looked', occupied }),
        );
        return;
      case 'announce':
        void this.announce(channelId, effect.inMs).catch((error: unknown) =>
          this.host.failed(error, 'room.closing could not be published'),
        );
        return;
      case 'cancel':
        logger.info({ channelId }, 'room stays open');
        void store.get(channelId).then((room) => room !== undefined && this.host.onKept(room));
        return;
      case 'close':
        this.watches.delete(channelId);
        void store
          .get(channelId)
          .then((room) => (room === undefined ? undefined : this.host.end(room)))
          .catch((error: unknown) => this.host.failed(error, 'empty room could not be closed'));
    }
  }

  /** Every process looks after every room; one of them tells. */
  private async announce(channelId: string, inMs: number): Promise<void> {
    const { store, publish, clock, logger, guildId } = this.host.settings;
    const closesAt = clock.wallTime() + inMs;
    if ((await store.claim(`closing ${channelId}`, inMs)) === undefined) return;
    const room = await store.get(channelId);
    if (room?.state !== 'open') return;
    logger.info({ channelId, closesAt }, 'room is about to be closed');
    this.host.onClosing(room, closesAt);
    await publish?.(channelRoom(channelId), 'room.closing', { channelId, guildId, closesAt });
  }

  /** Who cannot be asked counts as there: a room must not be closed by a failure. */
  private async isOccupied(channelId: string): Promise<boolean> {
    const { settings, voice } = this.host;
    const { guildId, viewersOf } = settings;
    if (!voice.knows(guildId)) return true;
    if (voice.membersOf(guildId, channelId).length > 0) return true;
    try {
      return (await viewersOf(channelId)) > 0;
    } catch (error) {
      this.host.failed(error, 'viewers could not be counted');
      return true;
    }
  }
}
