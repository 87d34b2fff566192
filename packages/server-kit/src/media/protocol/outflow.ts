/**
 * Owns what waits for a page that reads slowly: bounded by bytes, oldest video dropped first, never audio. What follows a
 * dropped video frame is no use before the stream's next keyframe, and is dropped with it. Without IO.
 */

/** A frame on its way to a page. */
export interface Outgoing {
  readonly kind: 'audio' | 'video' | 'control';
  /** Of video: which. */
  readonly stream: number;
  readonly keyframe: boolean;
  readonly bytes: Uint8Array;
}

/** What waits. */
export class Outflow {
  private readonly maxBytes: number;
  private list: Outgoing[] = [];
  private size = 0;
  /** Video streams of which nothing is taken before a keyframe. */
  private readonly gated = new Set<number>();

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.size;
  }

  get length(): number {
    return this.list.length;
  }

  /**
   * Adds a frame. Gives the streams that lost something, each of which now waits for a keyframe; or `'full'` when what
   * may not be dropped does not fit.
   */
  push(frame: Outgoing): ReadonlySet<number> | 'full' {
    const lost = new Set<number>();
    if (frame.kind === 'video' && this.gated.has(frame.stream)) {
      if (!frame.keyframe) return lost.add(frame.stream);
      this.gated.delete(frame.stream);
    }
    this.list.push(frame);
    this.size += frame.bytes.length;
    while (this.size > this.maxBytes) {
      const oldest = this.list.find(({ kind }) => kind === 'video');
      if (oldest === undefined) return 'full';
      this.dropFrom(oldest);
      lost.add(oldest.stream);
    }
    return lost;
  }

  /** The next frame. */
  shift(): Outgoing | undefined {
    const frame = this.list.shift();
    if (frame !== undefined) this.size -= frame.bytes.length;
    return frame;
  }

  /** Drops a frame and those of its stream that cannot be decoded without it. */
  private dropFrom(first: Outgoing): void {
    let isCut = false;
    let gated = true;
    this.list = this.list.filter((frame) => {
      if (frame === first) isCut = true;
      else if (isCut && frame.kind === 'video' && frame.stream === first.stream && frame.keyframe) {
        isCut = false;
        gated = false;
      }
      const isDropped = isCut && frame.kind === 'video' && frame.stream === first.stream;
      if (isDropped) this.size -= frame.bytes.length;
      return !isDropped;
    });
    if (gated) this.gated.add(first.stream);
  }
}
