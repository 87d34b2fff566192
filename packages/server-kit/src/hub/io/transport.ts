/** Owns the seam between a connection and what carries it. */
import type { Message } from '../codec/message.js';
import type { RecordBatch } from '../codec/record-batch.js';

/** What a connection asks of what carries it. */
export interface Transport {
  /** Bytes that wait to be taken by the operating system. */
  readonly bufferedBytes: number;
  /** Bytes that a message will be, about. */
  sizeOf(message: Message): number;
  /** Sends one message; ignored once it is closing. */
  send(message: Message): void;
  /** Sends events that follow each other, in one go. `false`: it cannot, send them one by one. */
  sendBatch?(batch: RecordBatch): boolean;
  /** The connection has been welcomed: starts to read, or to answer. */
  resume(): void;
  close(code: number, reason: string, retryAfterMs?: number): void;
  /** Ends without a word. */
  terminate(): void;
  /** Of a stream: the room is heard no more. */
  forget?(room: string): void;
  /** Of a stream: how long a reader that knows only of server-sent events waits before it comes back. */
  retryIn?(ms: number): void;
}

/** What a transport tells. */
export interface TransportListener {
  onText(text: string): void;
  /** A binary frame. */
  onBinary(): void;
  /** A ping of the WebSocket protocol. */
  onPing(): void;
  onOversized(): void;
  /** A violation of RFC 6455; the socket closes itself. */
  onBroken(problem: string): void;
  /** Once, last of all. */
  onClosed(code: number): void;
}
