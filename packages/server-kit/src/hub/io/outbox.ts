/**
 * Owns how bytes reach sockets under load: what is sent to one socket within a turn, or faster than it can be written,
 * leaves in one write. A hub that keeps up writes at once. Refuses to reorder and to drop.
 */
import type { Clock } from '@guildkit/core';

/** What takes the bytes. */
export interface ByteSink {
  /** Bytes that the operating system has not taken yet. */
  readonly waiting: number;
  write(bytes: Buffer): void;
}

/**
 * A flush that took this long, and found several messages for one socket, is load: the next one waits for a share of the time
 * that this one took. Below, or where messages come one by one, waiting would gain nothing.
 */
const LOAD_MS = 1;

/** Two thirds of the time go into writing then: longer waits save little and are felt, shorter ones leave nothing for the app. */
const HOLD_SHARE = 0.5;

/** Longest wait between two flushes. Half the delay that people notice. */
const MAX_HOLD_MS = 50;

/** The outboxes of one hub, and the rooms that fill them, flushed together. */
export class Batcher {
  private readonly clock: Clock;
  private readonly onStreamsFlushed: ((ms: number) => void) | undefined;
  /** Since when something waits. */
  private since = 0;
  /** Something waits for a stream. */
  private hasStreams = false;
  private rooms: (() => void)[] = [];
  private dirty: Outbox[] = [];
  private holdUntil = Number.NEGATIVE_INFINITY;
  private timer: unknown;
  private turn: NodeJS.Immediate | undefined;
  private isScheduled = false;
  /** Nothing comes after the room that fills outboxes now. */
  private isLastRoom = false;
  /** The most messages that one outbox has written in this flush. */
  private most = 0;
  /** The last list that was joined, and what it came to: sockets of one room send the same list. */
  private joined: { readonly list: readonly Buffer[]; readonly bytes: Buffer } | undefined;

  /** @param onStreamsFlushed Told how long the first of what was written to streams had waited, in ms. */
  constructor(clock: Clock, onStreamsFlushed?: (ms: number) => void) {
    this.clock = clock;
    this.onStreamsFlushed = onStreamsFlushed;
  }

  /** What is flushed next, or now, is for a stream, too. */
  markStream(): void {
    this.hasStreams = true;
  }

  /** An outbox has something. */
  add(outbox: Outbox): void {
    this.dirty.push(outbox);
    this.schedule();
  }

  /** A room has something: `spread` puts it into outboxes, just before they are flushed. */
  gather(spread: () => void): void {
    this.rooms.push(spread);
    this.schedule();
  }

  /** Whether an empty outbox may write so many messages at once: nothing that could be joined to them will come in this flush. */
  passes(messages: number): boolean {
    if (!this.isLastRoom) return false;
    this.most = Math.max(this.most, messages);
    return true;
  }

  /** One buffer of several. */
  join(list: readonly Buffer[]): Buffer {
    const { joined } = this;
    if (joined !== undefined && isSameList(joined.list, list)) return joined.bytes;
    const bytes = Buffer.concat(list);
    this.joined = { list, bytes };
    return bytes;
  }

  /** Writes what waits, and forgets the timer. */
  flush(): void {
    this.clock.clearTimer(this.timer);
    this.timer = undefined;
    const { rooms } = this;
    if (rooms.length + this.dirty.length === 0) {
      this.isScheduled = false;
      return;
    }
    const begun = this.clock.now();
    const { since } = this;
    // What is put into outboxes now leaves now.
    this.isScheduled = true;
    this.rooms = [];
    this.most = 0;
    for (const [at, spread] of rooms.entries()) {
      this.isLastRoom = at === rooms.length - 1;
      spread();
    }
    this.isLastRoom = false;
    const { dirty } = this;
    this.dirty = [];
    this.isScheduled = false;
    for (const outbox of dirty) this.most = Math.max(this.most, outbox.flush());
    this.joined = undefined;
    const end = this.clock.now();
    if (this.hasStreams) {
      this.hasStreams = false;
      this.onStreamsFlushed?.(end - since);
    }
    if (this.most > 1 && end - begun >= LOAD_MS)
      this.holdUntil = end + Math.min((end - begun) * HOLD_SHARE, MAX_HOLD_MS);
    this.turn ??= setImmediate(() => {
      this.turn = undefined;
      if (this.isScheduled && this.timer === undefined) this.flush();
    });
    // Published by who heard of something just now.
    if (this.rooms.length > 0) this.schedule();
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.since = this.clock.now();
    const holdMs = this.holdUntil - this.since;
    if (holdMs > 0) this.timer = this.clock.setTimer(() => this.flush(), holdMs);
    // The first of a turn goes at once; what follows in the same turn goes at its end.
    else if (this.turn === undefined) queueMicrotask(() => this.flush());
  }
}

/** What waits for one socket. */
export class Outbox {
  private readonly sink: ByteSink;
  private readonly batcher: Batcher;
  private list: Buffer[] = [];
  private bytes = 0;
  private messages = 0;

  constructor(sink: ByteSink, batcher: Batcher) {
    this.sink = sink;
    this.batcher = batcher;
  }

  /** Bytes here and in the sink. */
  get waiting(): number {
    return this.bytes + this.sink.waiting;
  }

  /** @param messages How many messages it is: 0 when more of the same one follows. */
  push(bytes: Buffer, messages = 1): void {
    // In one pass over thousands of sockets instead of two.
    if (this.bytes === 0 && messages > 0 && this.batcher.passes(messages)) {
      this.sink.write(bytes);
      return;
    }
    this.bytes += bytes.length;
    this.messages += messages;
    if (this.list.push(bytes) === 1) this.batcher.add(this);
  }

  /** Writes what waits; gives how many messages that were. */
  flush(): number {
    const { list, messages } = this;
    const [only] = list;
    if (only === undefined) return 0;
    this.discard();
    this.sink.write(list.length === 1 ? only : this.batcher.join(list));
    return messages;
  }

  /** Forgets what waits. */
  discard(): void {
    this.list = [];
    this.bytes = 0;
    this.messages = 0;
  }
}

function isSameList(a: readonly Buffer[], b: readonly Buffer[]): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at += 1) if (a[at] !== b[at]) return false;
  return true;
}
