/**
 * Owns a voice session's numbered messages until the client has seen them: sequence numbers of 16 bits that wrap, and what
 * a Resume replays. Bounded in number and size: the oldest goes first.
 */

const WRAP = 0x1_0000;
/** Messages kept, at most: less than half a wrap, so that a number means one message. */
const MAX_MESSAGES = 4_096;
const MAX_BYTES = 4 * 1024 * 1024;

/** A message's number as it is sent. */
export const wireSeq = (seq: number): number => seq % WRAP;

/**
 * Which message a `seq_ack` means: the newest of that number. 0 for -1, which says that none was seen.
 *
 * @param seq Number of the last message, not wrapped.
 * @returns -1 when there is no such message.
 */
export function unwrapAck(seq: number, ack: number): number {
  if (ack < 0) return 0;
  const behind = (wireSeq(seq) - ack + WRAP) % WRAP;
  return behind <= seq ? seq - behind : -1;
}

/** A message as it goes out. */
export interface LoggedMessage {
  readonly seq: number;
  readonly data: string | Uint8Array;
}

/** The messages that a Resume may ask for. */
export class MessageLog {
  private readonly kept: LoggedMessage[] = [];
  private last = 0;
  private bytes = 0;

  /** Number of the oldest message that is kept; one more than the last when none is. */
  get oldest(): number {
    return this.kept[0]?.seq ?? this.last + 1;
  }

  /** Adds the next message. */
  push(message: LoggedMessage): void {
    this.kept.push(message);
    this.last = message.seq;
    this.bytes += message.data.length;
    while (this.kept.length > MAX_MESSAGES || this.bytes > MAX_BYTES) this.drop();
  }

  /** Forgets what the client has seen. */
  acknowledge(through: number): void {
    while ((this.kept[0]?.seq ?? Number.POSITIVE_INFINITY) <= through) this.drop();
  }

  /** Messages `after < seq ≤ through`, in order. */
  between(after: number, through: number): readonly LoggedMessage[] {
    return this.kept.filter(({ seq }) => seq > after && seq <= through);
  }

  private drop(): void {
    const dropped = this.kept.shift();
    if (dropped !== undefined) this.bytes -= dropped.data.length;
  }
}
