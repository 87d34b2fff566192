/**
 * Owns what comes too late: events that a snapshot has overtaken. A request can be under way for longer than its sender
 * lives, and the sender's successor may have told of the whole guild meanwhile.
 */

/** Where an event comes from. */
export interface FencedEvent {
  readonly guildId: string;
  /** Names the sender's process. */
  readonly epoch: string;
  readonly seq: number;
  /** When the gateway saw it, unix ms. */
  readonly ts: number;
  readonly isSnapshot: boolean;
}

interface Fence {
  readonly epoch: string;
  /** Of the latest snapshot. */
  readonly seq: number;
  readonly ts: number;
  /** Whoever sent before. */
  readonly former: readonly string[];
}

/** Senders that are remembered of one guild: a late request is seconds old, not restarts. */
const MAX_FORMER = 16;
/** A snapshot that nobody sends any more is of no use: the oldest guilds go first. */
const MAX_GUILDS = 10_000;

/** The latest snapshot of each guild. */
export class SnapshotFence {
  private readonly fences = new Map<string, Fence>();

  /** Whether an event is older than what a snapshot has told. */
  isLate({ guildId, epoch, seq, ts }: FencedEvent): boolean {
    const fence = this.fences.get(guildId);
    if (fence === undefined) return false;
    if (fence.epoch === epoch) return seq < fence.seq;
    // A sender that was not heard of may be the next one, or one of before that this process never heard.
    return fence.former.includes(epoch) || ts < fence.ts;
  }

  /** Takes note of an event that was taken in. */
  passed({ guildId, epoch, seq, ts, isSnapshot }: FencedEvent): void {
    if (!isSnapshot) return;
    const before = this.fences.get(guildId);
    const others =
      before === undefined || before.epoch === epoch ? (before?.former ?? []) : [...before.former, before.epoch];
    this.fences.delete(guildId);
    this.fences.set(guildId, { epoch, seq, ts, former: others.slice(-MAX_FORMER) });
    for (const oldest of this.fences.keys()) {
      if (this.fences.size <= MAX_GUILDS) break;
      this.fences.delete(oldest);
    }
  }
}
