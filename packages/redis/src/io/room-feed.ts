/**
 * Owns one room that this process listens to: every event once and in order, holes filled from the log before anyone
 * hears of them. Refuses to be sure by itself: it reads again when the connection was away, and every few seconds.
 */
import type { Clock } from '@guildkit/core';
import type { Position } from '@guildkit/core/wire';
import type { RoomListener, RoomRead, RoomRecord } from '@guildkit/server-kit/hub';
import { type ApplyRoomEvent, RoomTail } from './room-tail.js';

/** What a feed needs of its engine. */
export interface RoomFeedHost {
  readonly clock: Clock;
  readonly applyRoomEvent: ApplyRoomEvent;
  readonly ringSize: number;
  readonly retryMs: number;
  /** Reads the log. `isBrief`: a reader whose position is kept needs no state. */
  read(room: string, since: Position | undefined, isBrief: boolean): Promise<RoomRead>;
  /** A hole was filled, or could not be. */
  onFilled(room: string, events: number, isRecovered: boolean): void;
}

/**
 * A record that says "read again": of a position that no event has, so no reader takes it for one. A reader of the same
 * epoch that is further drops it, one of another epoch sees a hole and reads.
 */
const resync = (room: string, epoch: string): RoomRecord =>
  Object.freeze({ room, epoch, seq: 0, event: 'room.resync', payload: 'null', id: '', ts: 0 });

/** The live feed of one room. */
export class RoomFeed {
  readonly listeners = new Set<RoomListener>();
  private readonly host: RoomFeedHost;
  private readonly room: string;
  private tail: RoomTail | undefined;
  private filling: Promise<void> | undefined;
  /** Something came, or may have, that the read under way cannot know. */
  private isDirty = false;
  private isUnsure = true;
  private isClosed = false;
  private retry: unknown;
  /** The last event that this process published: a reader here must not be shown less. */
  private published: Position | undefined;
  /** Where the room was when old events were last forgotten. */
  private mark: Position | undefined;

  constructor(host: RoomFeedHost, room: string) {
    this.host = host;
    this.room = room;
  }

  /** The last event that listeners have heard. */
  get position(): Position | undefined {
    return this.tail?.position;
  }

  /** What a reader gets from here; `undefined` when the log has to be asked. */
  read(since: Position | undefined): RoomRead | undefined {
    const at = this.tail?.position;
    const own = this.published;
    if (this.isUnsure || (own !== undefined && (own.epoch !== at?.epoch || own.seq > at.seq))) return undefined;
    return this.tail?.read(since);
  }

  /** This process has published an event, which may not have come over the connection yet. */
  onPublished(position: Position): void {
    this.published = position;
  }

  /** An event came over the connection; `undefined`: something that is none. */
  onMessage(record: RoomRecord | undefined): void {
    if (this.tail === undefined || this.filling !== undefined || record === undefined) {
      this.check();
      return;
    }
    const verdict = this.tail.push(record);
    if (verdict === 'next') this.tell(record);
    else if (verdict === 'hole') this.check();
  }

  /** The connection is gone: readers ask the log until it was compared. */
  doubt(): void {
    this.isUnsure = true;
  }

  /**
   * Somebody has compared the log with a position that was this room's then: it ends there, or it does not.
   * What came over the connection meanwhile says by itself whether it follows.
   */
  onCompared(asked: Position, isSame: boolean): void {
    if (isSame) {
      if (this.filling === undefined) this.isUnsure = false;
    } else if (this.isUnsure || this.tail?.position === asked) this.check();
  }

  /** Drops the events that were there at the call before. */
  forgetOld(): void {
    const at = this.tail?.position;
    if (at !== undefined && this.mark?.epoch === at.epoch) this.tail?.forget(this.mark.seq);
    this.mark = at;
  }

  /** Compares with the log. What is missing is told; a failure is tried again. */
  check(): void {
    this.fill().catch(() => this.later());
  }

  /** As {@link check}, once: rejects when the log cannot be read. */
  fill(): Promise<void> {
    this.isDirty = true;
    if (this.filling !== undefined) return this.filling;
    this.host.clock.clearTimer(this.retry);
    this.filling = this.run().finally(() => {
      this.filling = undefined;
    });
    return this.filling;
  }

  close(): void {
    this.isClosed = true;
    this.listeners.clear();
    this.host.clock.clearTimer(this.retry);
  }

  private async run(): Promise<void> {
    while (this.isDirty && !this.isClosed) {
      this.isDirty = false;
      const from = this.tail?.position;
      try {
        this.take(from, await this.host.read(this.room, from, from !== undefined));
      } catch (error) {
        this.isUnsure = true;
        throw error;
      }
    }
    this.isUnsure = false;
  }

  private take(from: Position | undefined, read: RoomRead): void {
    if (this.tail === undefined || from === undefined || !read.recovered) {
      this.tail = new RoomTail(this.host.applyRoomEvent, this.host.ringSize, read);
      if (from === undefined) return;
      this.host.onFilled(this.room, 0, false);
      // Another epoch is named, so that who has read it already is left alone; one that no room has is a hole to all.
      this.tell(resync(this.room, read.epoch === from.epoch ? `${read.epoch}?` : read.epoch));
      return;
    }
    if (read.events.length > 0) this.host.onFilled(this.room, read.events.length, true);
    for (const record of read.events) if (this.tail.push(record) === 'next') this.tell(record);
  }

  private tell(record: RoomRecord): void {
    for (const listener of [...this.listeners]) listener(record);
  }

  private later(): void {
    if (this.isClosed) return;
    this.host.clock.clearTimer(this.retry);
    this.retry = this.host.clock.setTimer(() => this.check(), this.host.retryMs);
  }
}
