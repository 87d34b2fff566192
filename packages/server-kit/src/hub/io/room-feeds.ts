/**
 * Owns this process's fan-out: one watch of the engine for each room that someone here listens to, one message
 * for each event. Events that come while writes are held back go to each subscriber together: with thousands of them, what
 * costs is to touch each. Refuses to wait for anyone: a subscriber takes the frames or is cut off by its own bounds.
 */
import { RecordBatch } from '../codec/record-batch.js';
import type { HubEngine } from '../engine.js';
import type { RoomRecord } from '../protocol/records.js';

/** Someone who listens to a room. Must not throw. May be told of an event twice. */
export interface RoomSubscriber {
  onRecords(batch: RecordBatch): void;
}

interface Feed {
  readonly subscribers: Set<RoomSubscriber>;
  watching: Promise<() => void>;
  /** Events that nobody was told of yet. */
  pending: RoomRecord[];
}

const NOT_YET = Promise.resolve(() => {});

/** The rooms that are listened to. */
export class RoomFeeds {
  private readonly engine: HubEngine;
  private readonly afterRecord: (record: RoomRecord) => void;
  private readonly gather: (spread: () => void) => void;
  private readonly feeds = new Map<string, Feed>();

  /**
   * @param afterRecord Called when every subscriber has had an event.
   * @param gather Calls back once, when it is time to tell what has come.
   */
  constructor(
    engine: HubEngine,
    afterRecord: (record: RoomRecord) => void,
    gather: (spread: () => void) => void = queueMicrotask,
  ) {
    this.engine = engine;
    this.afterRecord = afterRecord;
    this.gather = gather;
  }

  /** How many rooms are listened to. */
  get size(): number {
    return this.feeds.size;
  }

  /** Adds a subscriber; resolves when every later event reaches it. A failed join has left again. */
  async join(room: string, subscriber: RoomSubscriber): Promise<void> {
    let feed = this.feeds.get(room);
    if (feed === undefined) {
      const made: Feed = { subscribers: new Set(), watching: NOT_YET, pending: [] };
      feed = made;
      this.feeds.set(room, made);
      made.watching = this.engine.watch(room, (record) => this.take(made, record));
    }
    feed.subscribers.add(subscriber);
    try {
      await feed.watching;
    } catch (error) {
      this.leave(room, subscriber);
      throw error;
    }
  }

  /** Removes a subscriber. What was not told yet, it is not told: if it comes back it reads the history. */
  leave(room: string, subscriber: RoomSubscriber): void {
    const feed = this.feeds.get(room);
    if (feed === undefined || !feed.subscribers.delete(subscriber) || feed.subscribers.size > 0) return;
    this.feeds.delete(room);
    // A watch that could not be had was told to whoever joined.
    feed.watching.then((unwatch) => unwatch()).catch(() => {});
  }

  private take(feed: Feed, record: RoomRecord): void {
    if (feed.subscribers.size === 0) return;
    if (feed.pending.push(record) === 1) this.gather(() => this.spread(feed));
  }

  private spread(feed: Feed): void {
    const { pending, subscribers } = feed;
    feed.pending = [];
    const batch = new RecordBatch(pending);
    for (const subscriber of subscribers) subscriber.onRecords(batch);
    for (const record of pending) this.afterRecord(record);
  }
}
