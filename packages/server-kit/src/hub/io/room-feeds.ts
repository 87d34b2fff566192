/**
 * Owns this process's fan-out: one watch of the engine for each room that someone here listens to, one message
 * for each event. Refuses to wait for anyone: a subscriber takes the frame or is cut off by its own bounds.
 */
import { type Message, recordMessage } from '../codec/message.js';
import type { HubEngine } from '../engine.js';
import type { RoomRecord } from '../protocol/records.js';

/** Someone who listens to a room. Must not throw. */
export interface RoomSubscriber {
  onRecord(record: RoomRecord, message: Message): void;
}

interface Feed {
  readonly subscribers: Set<RoomSubscriber>;
  readonly watching: Promise<() => void>;
}

/** The rooms that are listened to. */
export class RoomFeeds {
  private readonly engine: HubEngine;
  private readonly afterRecord: (record: RoomRecord) => void;
  private readonly feeds = new Map<string, Feed>();

  /** @param afterRecord Called when every subscriber has had an event. */
  constructor(engine: HubEngine, afterRecord: (record: RoomRecord) => void) {
    this.engine = engine;
    this.afterRecord = afterRecord;
  }

  /** How many rooms are listened to. */
  get size(): number {
    return this.feeds.size;
  }

  /** Adds a subscriber; resolves when every later event reaches it. A failed join has left again. */
  async join(room: string, subscriber: RoomSubscriber): Promise<void> {
    let feed = this.feeds.get(room);
    if (feed === undefined) {
      const subscribers = new Set<RoomSubscriber>();
      const watching = this.engine.watch(room, (record) => this.fanOut(subscribers, record));
      feed = { subscribers, watching };
      this.feeds.set(room, feed);
    }
    feed.subscribers.add(subscriber);
    try {
      await feed.watching;
    } catch (error) {
      this.leave(room, subscriber);
      throw error;
    }
  }

  /** Removes a subscriber. */
  leave(room: string, subscriber: RoomSubscriber): void {
    const feed = this.feeds.get(room);
    if (feed === undefined || !feed.subscribers.delete(subscriber) || feed.subscribers.size > 0) return;
    this.feeds.delete(room);
    // A watch that could not be had was told to whoever joined.
    feed.watching.then((unwatch) => unwatch()).catch(() => {});
  }

  private fanOut(subscribers: ReadonlySet<RoomSubscriber>, record: RoomRecord): void {
    if (subscribers.size === 0) return;
    const message = recordMessage(record);
    for (const subscriber of subscribers) subscriber.onRecord(record, message);
    this.afterRecord(record);
  }
}
