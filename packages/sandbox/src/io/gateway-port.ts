/**
 * Owns one gateway connection's way out: compression, order, back-pressure, and the faults that happen between the
 * gateway and its client. Refuses to know what a session is.
 */
import type { Duplex } from 'node:stream';
import { deflateSync } from 'node:zlib';
import type { Clock } from '@guildkit/core';
import { WebSocket } from 'ws';
import { type Compression, createCompressor, spoil } from '../codec/compression.js';
import type { Compressor } from '../codec/compressor.js';

/** A fault on one connection's way out. Counts are of dispatches still to come. */
export type PortFault =
  | { readonly type: 'drop' | 'duplicate' | 'reorder'; readonly count: number }
  /** Spoil the next compressed message. */
  | { readonly type: 'corrupt' }
  /** Send half of the next message, then destroy the connection. */
  | { readonly type: 'half' }
  /** Delay dispatches; 0 for no longer. */
  | { readonly type: 'delay'; readonly ms: number }
  /** Disarm everything but the delay. */
  | { readonly type: 'none' };

/** A message on its way to one or many connections: encoded once. */
export class OutgoingFrame {
  private encoded: Buffer | undefined;

  constructor(readonly text: string) {}

  /** The text in UTF-8. Not to be written to: all connections send the same bytes. */
  get bytes(): Buffer {
    this.encoded ??= Buffer.from(this.text);
    return this.encoded;
  }
}

/** What a port needs. */
export interface GatewayPortOptions {
  readonly ws: WebSocket;
  /** The TCP connection below; without it a half frame is a plain cut. */
  readonly tcp: Duplex | undefined;
  readonly compression: Compression;
  readonly clock: Clock;
}

/** A reader this far behind is cut: it would hold memory for as long as it likes. */
const MAX_BUFFERED_BYTES = 64 * 1024 * 1024;
/** How long a close frame may go unanswered before the TCP connection is destroyed. */
const CLOSE_TIMEOUT_MS = 2_000;
/** Dispatches that a delay may hold back; a client that is further behind is cut. */
const MAX_LATE = 10_000;
/** Payload compression skips what is smaller: it would hardly shrink. */
const MIN_PAYLOAD_COMPRESSION_BYTES = 1024;

/** One connection's way out. */
export class GatewayPort {
  /** Whether IDENTIFY asked for payload compression (Discord docs, Gateway: Payload Compression). */
  compressPayloads = false;
  private readonly compressor: Compressor | undefined;
  private toDrop = 0;
  private toDuplicate = 0;
  private toReorder = 0;
  private held: OutgoingFrame[] = [];
  private spoilNext = false;
  private halveNext = false;
  private broken = false;
  private delayMs = 0;
  private readonly late: { readonly frame: OutgoingFrame; readonly at: number }[] = [];
  private timer: unknown;

  constructor(private readonly options: GatewayPortOptions) {
    this.compressor = createCompressor(options.compression);
  }

  /** Whether frames can be sent. */
  get isOpen(): boolean {
    return !this.broken && this.options.ws.readyState === WebSocket.OPEN;
  }

  /** Sends a frame that no fault of dispatches concerns. */
  send(text: string): void {
    this.write(new OutgoingFrame(text));
  }

  /** Sends a dispatch, or what a fault makes of it. */
  sendDispatch(frame: OutgoingFrame): void {
    if (this.toDrop > 0) {
      this.toDrop -= 1;
      return;
    }
    if (this.toReorder > 0) {
      this.toReorder -= 1;
      this.held.unshift(frame);
      if (this.toReorder > 0) return;
      this.letGo();
      return;
    }
    this.queue(frame);
    if (this.toDuplicate === 0) return;
    this.toDuplicate -= 1;
    this.queue(frame);
  }

  /** Sends bytes as they are. */
  sendRaw(data: string | Buffer): void {
    if (this.isOpen) this.options.ws.send(data, ignore);
  }

  /** Arms a fault. */
  inject(fault: PortFault): void {
    switch (fault.type) {
      case 'drop':
        this.toDrop = fault.count;
        return;
      case 'duplicate':
        this.toDuplicate = fault.count;
        return;
      case 'reorder':
        this.letGo();
        this.toReorder = fault.count;
        return;
      case 'corrupt':
        this.spoilNext = this.compressor !== undefined;
        return;
      case 'half':
        this.halveNext = true;
        return;
      case 'delay':
        this.delayMs = fault.ms;
        return;
      case 'none':
        this.letGo();
        this.toDrop = 0;
        this.toDuplicate = 0;
        this.toReorder = 0;
        this.spoilNext = false;
        this.halveNext = false;
        return;
    }
  }

  /** Closes with a handshake, which the client gets two seconds for. */
  close(code: number, reason: string): void {
    const { ws, clock } = this.options;
    const timer = clock.setTimer(() => ws.terminate(), CLOSE_TIMEOUT_MS);
    ws.once('close', () => clock.clearTimer(timer));
    ws.close(code, reason);
  }

  /** Destroys the TCP connection. */
  terminate(): void {
    this.options.ws.terminate();
  }

  /** Frees what the connection held; called once it is closed. */
  dispose(): void {
    this.broken = true;
    this.disarm();
    this.late.length = 0;
    this.held.length = 0;
    this.compressor?.close();
  }

  /** Sends what a reorder holds, as far as it has come. */
  private letGo(): void {
    for (const each of this.held.splice(0)) this.queue(each);
  }

  private queue(frame: OutgoingFrame): void {
    // What waits already keeps its place: a shorter delay does not overtake.
    if (this.delayMs === 0 && this.late.length === 0) {
      this.write(frame);
      return;
    }
    if (this.late.length >= MAX_LATE) {
      this.terminate();
      return;
    }
    const at = Math.max(this.options.clock.now() + this.delayMs, this.late.at(-1)?.at ?? 0);
    this.late.push({ frame, at });
    this.arm();
  }

  private arm(): void {
    const next = this.late[0];
    if (next === undefined || this.timer !== undefined) return;
    const { clock } = this.options;
    this.timer = clock.setTimer(
      () => {
        this.timer = undefined;
        const now = clock.now();
        for (let due = this.late[0]; due !== undefined && due.at <= now; due = this.late[0]) {
          this.late.shift();
          this.write(due.frame);
        }
        this.arm();
      },
      Math.max(0, Math.ceil(next.at - clock.now())),
    );
  }

  private disarm(): void {
    if (this.timer !== undefined) this.options.clock.clearTimer(this.timer);
    this.timer = undefined;
  }

  private write(frame: OutgoingFrame): void {
    if (!this.isOpen) return;
    if (this.options.ws.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.terminate();
      return;
    }
    const { bytes, binary } = this.encode(frame);
    if (this.halveNext) this.writeHalf(bytes, binary);
    else this.options.ws.send(bytes, { binary }, ignore);
  }

  private encode(frame: OutgoingFrame): { readonly bytes: Buffer; readonly binary: boolean } {
    if (this.compressor !== undefined) {
      const bytes = this.compressor.compress(frame.bytes);
      if (!this.spoilNext) return { bytes, binary: true };
      this.spoilNext = false;
      return { bytes: spoil(bytes), binary: true };
    }
    const { bytes } = frame;
    return this.compressPayloads && bytes.length >= MIN_PAYLOAD_COMPRESSION_BYTES
      ? { bytes: deflateSync(bytes), binary: true }
      : { bytes, binary: false };
  }

  private writeHalf(payload: Buffer, isBinary: boolean): void {
    this.broken = true;
    const { tcp } = this.options;
    if (tcp === undefined) {
      this.terminate();
      return;
    }
    tcp.write(Buffer.concat([frameHeader(payload.length, isBinary), payload.subarray(0, payload.length >> 1)]), () =>
      tcp.destroy(),
    );
  }
}

/** Header of an unmasked, final WebSocket frame (RFC 6455 §5.2). */
function frameHeader(length: number, isBinary: boolean): Buffer {
  const first = isBinary ? 0x82 : 0x81;
  if (length < 126) return Buffer.from([first, length]);
  if (length < 0x1_0000) return Buffer.from([first, 126, length >> 8, length & 0xff]);
  const header = Buffer.alloc(10);
  header[0] = first;
  header[1] = 127;
  header.writeBigUInt64BE(BigInt(length), 2);
  return header;
}

const ignore = (): void => {};
