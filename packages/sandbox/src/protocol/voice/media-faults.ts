/**
 * Owns what happens to datagrams on their way: loss, delay, jitter, reordering, duplication, a narrow link, a blackout.
 * Pure and seeded: the same packets at the same times have the same fate. Refuses to wait: it says when.
 */
import { createRandom, type Random } from '../random.js';

/** What the way does to packets. What is left out does nothing. */
export interface MediaConditions {
  /** Share of packets that are lost, 0 to 1. */
  readonly loss: number;
  /** Packets that are lost in a row once one is: 1 for each alone. */
  readonly burst: number;
  readonly delayMs: number;
  /** Up to so much more, evenly spread. Packets keep their order. */
  readonly jitterMs: number;
  /** Share of packets that others overtake, 0 to 1. */
  readonly reorder: number;
  /** By how much those come later. */
  readonly reorderMs: number;
  /** Share of packets that come twice, 0 to 1. */
  readonly duplicate: number;
  /** Bits a second; packets queue for it. `undefined` for any number. */
  readonly bandwidthBps: number | undefined;
  /** Queue before that link; what does not fit is lost. */
  readonly queueMs: number;
  /** Nothing comes through. */
  readonly blackout: boolean;
}

/** Why a packet is lost on the way. */
export type MediaLoss = 'loss' | 'blackout' | 'queue';

/** When a packet arrives: once, twice, or never. */
export type Fate =
  | { readonly lost: MediaLoss }
  | { readonly lost: undefined; readonly at: readonly number[]; readonly reordered: boolean };

const BITS = 8;

/** One direction of one client's way. */
export class MediaLink {
  private readonly random: Random;
  private lossLeft = 0;
  /** When the narrow link is free again. */
  private freeAt = Number.NEGATIVE_INFINITY;
  /** When the last packet in order arrives: none of them overtakes it. */
  private lastAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly conditions: MediaConditions,
    seed: number,
  ) {
    this.random = createRandom(seed);
  }

  /** What becomes of a packet of that many bytes that sets out now. */
  send(bytes: number, now: number): Fate {
    const { loss, burst, delayMs, jitterMs, reorder, reorderMs, duplicate, blackout } = this.conditions;
    // Always the same number of draws: one fault does not change the fate of packets under another.
    const draws = { loss: this.random(), jitter: this.random(), reorder: this.random(), duplicate: this.random() };
    if (blackout) return { lost: 'blackout' };
    if (this.lossLeft > 0) {
      this.lossLeft -= 1;
      return { lost: 'loss' };
    }
    if (draws.loss < loss) {
      this.lossLeft = burst - 1;
      return { lost: 'loss' };
    }
    const left = this.queue(bytes, now);
    if (left === undefined) return { lost: 'queue' };
    const arrival = left + delayMs + draws.jitter * jitterMs;
    const isReordered = draws.reorder < reorder;
    let at: number;
    if (isReordered) at = arrival + reorderMs;
    else {
      at = Math.max(arrival, this.lastAt);
      this.lastAt = at;
    }
    return { lost: undefined, at: draws.duplicate < duplicate ? [at, at] : [at], reordered: isReordered };
  }

  /** When a packet has passed the narrow link. */
  private queue(bytes: number, now: number): number | undefined {
    const { bandwidthBps, queueMs } = this.conditions;
    if (bandwidthBps === undefined) return now;
    const begin = Math.max(now, this.freeAt);
    if (begin - now > queueMs) return undefined;
    this.freeAt = begin + (bytes * BITS * 1000) / bandwidthBps;
    return this.freeAt;
  }
}
