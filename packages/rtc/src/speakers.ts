/** Owns who is speaking, put together from what is announced and what is heard: the `speaking` event tells changes only. */
import type { RtcSpeakingEvent } from './events.js';

/** People beyond are not followed: a server that names more is not believed. */
const MAX_KNOWN = 10_000;

/** Speakers of a channel. */
export class Speakers {
  private readonly known = new Map<string, { speaking: boolean; flags: number }>();

  constructor(private readonly tell: (event: RtcSpeakingEvent) => void) {}

  /** Opcode 5. Discord sends it when flags change, not with every sentence. */
  announced(userId: string, flags: number): void {
    this.set(userId, flags > 0, flags);
  }

  /** By what arrives. */
  heard(userId: string, speaking: boolean): void {
    this.set(userId, speaking, this.known.get(userId)?.flags ?? 0);
  }

  left(userId: string): void {
    this.set(userId, false, 0);
    this.known.delete(userId);
  }

  clear(): void {
    for (const userId of [...this.known.keys()]) this.left(userId);
  }

  private set(userId: string, speaking: boolean, flags: number): void {
    const before = this.known.get(userId);
    if (before === undefined && this.known.size >= MAX_KNOWN) return;
    this.known.set(userId, { speaking, flags });
    if ((before?.speaking ?? false) !== speaking) this.tell({ userId, speaking, flags });
  }
}
