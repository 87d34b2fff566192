/** Owns the end of rooms: nobody gets in any more, channel and role go, what stops half-way is gone on with later. */
import { toRoomError } from '../errors.js';
import type { RoomSettings } from '../options.js';
import type { RoomRecord } from '../protocol/room.js';
import type { EndCause } from '../room-shapes.js';
import type { RoomBuilder } from './builder.js';

/** What endings need. */
export interface EndingsHost {
  readonly settings: RoomSettings;
  readonly builder: RoomBuilder;
  /** A room is over. */
  onEnded(room: RoomRecord, cause: EndCause): void;
}

/** Rooms that are being ended. */
export class Endings {
  private readonly running = new Map<string, Promise<RoomRecord>>();
  private readonly ended: Record<EndCause, number> = { requested: 0, idle: 0, deleted: 0, recovered: 0 };

  constructor(private readonly host: EndingsHost) {}

  /** How many rooms ended, by cause. */
  counts(): Readonly<Record<EndCause, number>> {
    return { ...this.ended };
  }

  /** Whether a room is being ended here. */
  isEnding(channelId: string): boolean {
    return this.running.has(channelId);
  }

  /** Ends a room, once. @throws RoomError */
  finish(room: RoomRecord, cause: EndCause): Promise<RoomRecord> {
    const { channelId } = room;
    const running = this.running.get(channelId);
    if (running !== undefined) return running;
    if (room.state === 'ended') return Promise.resolve(room);
    const run = this.finishOnce(room, cause).finally(() => this.running.delete(channelId));
    this.running.set(channelId, run);
    return run;
  }

  private async finishOnce(room: RoomRecord, cause: EndCause): Promise<RoomRecord> {
    const { store, invites, clock, logger } = this.host.settings;
    const { channelId } = room;
    // First of all nobody gets in any more.
    await store.update(channelId, (before) => ({ ...before, state: 'ending' }));
    await invites?.revokeRoom(channelId);
    try {
      await this.host.builder.demolish(room);
    } catch (error) {
      // Stays `ending`: the next sweep goes on.
      throw toRoomError(error);
    }
    const endedAt = clock.wallTime();
    const over: RoomRecord = { ...room, state: 'ended', holders: [], endedAt };
    await store.update(channelId, (before) => ({ ...before, state: 'ended', holders: [], endedAt }));
    this.ended[cause] += 1;
    logger.info({ channelId, cause }, 'room ended');
    this.host.onEnded(over, cause);
    return over;
  }
}
