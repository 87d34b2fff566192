/**
 * Owns one stream of server-sent events: messages out, each with the cursor of where its reader then is, a comment
 * when nothing was to be said. Refuses to know where the bytes go: node's socket or a Web stream.
 */
import type { Clock } from '@guildkit/core';
import type { Position } from '@guildkit/core/wire';
import { httpChunk } from '../codec/frames.js';
import { envelopeMessage, type Message, recordMessage } from '../codec/message.js';
import type { RecordBatch } from '../codec/record-batch.js';
import { cursorPart, joinCursor } from '../protocol/cursor.js';
import { type Batcher, type ByteSink, Outbox } from './outbox.js';
import type { Transport } from './transport.js';

/** An answer that has begun. */
export interface StreamSink extends ByteSink {
  /** After the bytes that were written. */
  end(): void;
  /** At once. */
  destroy(): void;
}

/** An HTTP request that a stream answers. */
export interface StreamOutput {
  /** The bytes are written as HTTP/1.1 chunks. */
  readonly chunked: boolean;
  /** Starts the answer. */
  begin(): StreamSink;
  /** Answers with an error instead. */
  refuse(closeCode: number, cause: string, retryAfterMs: number | undefined): void;
  /** Ends a request that has no answer yet. */
  abort(): void;
}

/** What a stream needs beside its output. */
export interface StreamSettings {
  readonly clock: Clock;
  readonly batcher: Batcher;
  /** After so long without an event a comment is sent, in ms. */
  readonly pingMs: number;
  /** What a reader that knows only of server-sent events waits before it comes back, in ms. */
  readonly retryMs: number;
  /** Where the reader says it is, room by room. */
  readonly since: ReadonlyMap<string, Position>;
}

/** How long a reader may take for the last bytes, in ms. */
const END_TIMEOUT_MS = 5_000;

const PING = Buffer.from(': ping\n\n');

/** Something to write that is no message. */
const text = (value: string, chunked: boolean): Buffer => {
  const bytes = Buffer.from(value);
  return chunked ? httpChunk(bytes) : bytes;
};

/** A {@link Transport} over an HTTP answer. */
export class StreamTransport implements Transport {
  private readonly output: StreamOutput;
  private readonly settings: StreamSettings;
  /** Room → its part of the cursor. */
  private readonly parts = new Map<string, string>();
  private early: Message[] = [];
  private sink: StreamSink | undefined;
  private outbox: Outbox | undefined;
  private isEnding = false;
  private timer: unknown;
  private spokeAt = 0;

  constructor(output: StreamOutput, settings: StreamSettings) {
    this.output = output;
    this.settings = settings;
    for (const [room, position] of settings.since) this.parts.set(room, cursorPart(room, position));
  }

  get bufferedBytes(): number {
    return this.outbox?.waiting ?? 0;
  }

  sizeOf(message: Message): number {
    return message.json.length + (message.at === undefined ? 0 : 64 * this.parts.size);
  }

  send(message: Message): void {
    const { outbox } = this;
    if (this.isEnding) return;
    if (outbox === undefined) {
      this.early.push(message);
      return;
    }
    const { clock, batcher } = this.settings;
    this.spokeAt = clock.now();
    batcher.markStream();
    const { chunked } = this.output;
    const { at } = message;
    if (at === undefined) {
      outbox.push(message.event(chunked));
      return;
    }
    this.parts.set(at.room, message.cursor);
    if (this.parts.size === 1) {
      outbox.push(message.soloEvent(chunked));
      return;
    }
    // The event itself is shared by all streams; only the line before it is this one's.
    outbox.push(text(`id: ${joinCursor(this.parts.values())}\n`, chunked), 0);
    outbox.push(message.event(chunked));
  }

  sendBatch(batch: RecordBatch): boolean {
    const { outbox, parts } = this;
    const { room } = batch.last;
    // Of several rooms each event has the cursor of this stream alone.
    if (this.isEnding || outbox === undefined || parts.size !== 1 || !parts.has(room)) return false;
    const { clock, batcher } = this.settings;
    this.spokeAt = clock.now();
    batcher.markStream();
    parts.set(room, recordMessage(batch.last).cursor);
    outbox.push(batch.soloEvents(this.output.chunked), batch.records.length);
    return true;
  }

  resume(): void {
    if (this.sink !== undefined || this.isEnding) return;
    this.sink = this.output.begin();
    this.outbox = new Outbox(this.sink, this.settings.batcher);
    const { clock, retryMs, pingMs } = this.settings;
    // Lines before the first event: a reader that came with a cursor keeps it though nothing happens.
    const id = this.parts.size === 0 ? '' : `id: ${joinCursor(this.parts.values())}\n`;
    this.outbox.push(text(`retry: ${retryMs}\n${id}`, this.output.chunked), 0);
    const { early } = this;
    this.early = [];
    for (const message of early) this.send(message);
    this.spokeAt = clock.now();
    this.pingIn(pingMs);
  }

  forget(room: string): void {
    this.parts.delete(room);
  }

  retryIn(ms: number): void {
    if (!this.isEnding) this.outbox?.push(text(`retry: ${ms}\n`, this.output.chunked), 0);
  }

  close(code: number, cause: string, retryAfterMs?: number): void {
    if (this.isEnding) return;
    const { sink, outbox } = this;
    const { clock } = this.settings;
    if (sink === undefined || outbox === undefined) {
      this.isEnding = true;
      this.output.refuse(code, cause, retryAfterMs);
      return;
    }
    const payload = { code, cause, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
    this.send(envelopeMessage({ type: 'event', event: 'sys.closed', payload, ts: clock.wallTime() }));
    this.isEnding = true;
    clock.clearTimer(this.timer);
    outbox.flush();
    sink.end();
    this.timer = clock.setTimer(() => sink.destroy(), END_TIMEOUT_MS);
  }

  terminate(): void {
    this.isEnding = true;
    if (this.sink === undefined) this.output.abort();
    else this.sink.destroy();
  }

  /** The answer is over: gives back the timer. */
  onClosed(): void {
    this.isEnding = true;
    this.settings.clock.clearTimer(this.timer);
    this.outbox?.discard();
  }

  private pingIn(ms: number): void {
    const { clock, pingMs } = this.settings;
    this.timer = clock.setTimer(() => {
      const silentMs = clock.now() - this.spokeAt;
      if (silentMs >= pingMs) {
        this.spokeAt = clock.now();
        this.outbox?.push(this.output.chunked ? httpChunk(PING) : PING);
      }
      this.pingIn(Math.max(1, this.spokeAt + pingMs - clock.now()));
    }, ms);
  }
}
