/** Owns the answers of a while: a command that is sent again is answered again, and done once. */
import type { CommandAnswer } from '../shared/command.js';

interface Entry {
  readonly fingerprint: string;
  readonly answer: Promise<CommandAnswer>;
  at: number | undefined;
}

/** Answers by user and id. Oldest first: a Map keeps the order of insertion. */
export class Remembered {
  private readonly entries = new Map<string, Entry>();
  private readonly max: number;
  private readonly forMs: number;

  constructor(max: number, forMs: number) {
    this.max = max;
    this.forMs = forMs;
  }

  get size(): number {
    return this.entries.size;
  }

  /** The answer of that id, finished or on its way; `'reused'` when it was another command's. */
  find(key: string, fingerprint: string, now: number): Promise<CommandAnswer> | 'reused' | undefined {
    this.prune(now);
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    return entry.fingerprint === fingerprint ? entry.answer : 'reused';
  }

  /** Keeps an answer that is on its way. */
  add(key: string, fingerprint: string, answer: Promise<CommandAnswer>): void {
    this.entries.set(key, { fingerprint, answer, at: undefined });
  }

  /** The answer is there: it is kept for a while from now on, or forgotten when nothing was done. */
  settle(key: string, answer: Promise<CommandAnswer>, isKept: boolean, now: number): void {
    const entry = this.entries.get(key);
    if (entry?.answer !== answer) return;
    // Anew, so that the order is that of their ends.
    this.entries.delete(key);
    if (isKept) this.entries.set(key, { ...entry, at: now });
    this.prune(now);
  }

  private prune(now: number): void {
    for (const [key, { at }] of this.entries) {
      if (at === undefined) continue;
      if (at > now - this.forMs && this.entries.size <= this.max) return;
      this.entries.delete(key);
    }
  }
}
