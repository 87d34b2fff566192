/**
 * Owns the seam of what was answered: a command that is sent again, to whichever process, is answered again and done once.
 * Refuses to carry anything out.
 */
import { type Clock, check, resolveOptions, systemClock } from '@guildkit/core';
import type { CommandAnswer } from '../shared/command.js';

/** What a store knows of an id. */
export type AnswerClaim =
  /** Nobody has it: whoever asked carries the command out. `ticket` proves that to `settle` and `release`. */
  | { readonly kind: 'claimed'; readonly ticket: string }
  /** It is being carried out. */
  | { readonly kind: 'pending' }
  /** It was answered. */
  | { readonly kind: 'answered'; readonly answer: CommandAnswer }
  /** It belongs to another command. */
  | { readonly kind: 'reused' }
  /** Whoever had it never answered, and its time is over: nobody knows whether it was done. */
  | { readonly kind: 'lost' };

/** What is asked of a store. */
export interface AnswerClaimRequest {
  /** Of user and command id. Any text. */
  readonly key: string;
  /** Of what was sent. The same id with another one is another command. */
  readonly fingerprint: string;
  /** How long whoever claims it may take, in ms. */
  readonly leaseMs: number;
  /** How long a claim whose lease has run out stays `lost`, in ms. */
  readonly keepMs: number;
}

/**
 * Keeps the answers of commands for a while. Each call is one step: of two that come together one takes effect before the
 * other. A call may reject: then nothing is carried out. `memoryAnswerStore` is for one process, `redisAnswerStore` of
 * `@guildkit/redis` for several.
 */
export interface AnswerStore {
  /** Looks an id up, and gives it to who asks when nobody has it: to exactly one of all who ask at once. */
  claim(request: AnswerClaimRequest): Promise<AnswerClaim>;
  /** Keeps the answer for `keepMs`; nothing when the ticket is not the claim's. Not at all when `keepMs` is 0. */
  settle(key: string, ticket: string, answer: CommandAnswer, keepMs: number): Promise<void>;
  /** Forgets the id: nothing was done. Nothing happens when the ticket is not the claim's. */
  release(key: string, ticket: string): Promise<void>;
}

interface Entry {
  readonly fingerprint: string;
  readonly ticket: string;
  readonly answer: CommandAnswer | undefined;
  /** When the lease is over; for an answer, when it is forgotten. */
  readonly until: number;
  /** When all is forgotten. */
  readonly ends: number;
}

const DEFAULTS: { readonly maxEntries: number; readonly clock: Clock } = { maxEntries: 10_000, clock: systemClock };

/**
 * Keeps answers in this process. The oldest go first when there are too many; what is being carried out stays.
 *
 * @throws TypeError on options out of range.
 */
export function memoryAnswerStore(
  options: {
    /** Answers that are kept. @defaultValue 10000 */
    readonly maxEntries?: number | undefined;
    readonly clock?: Clock | undefined;
  } = {},
): AnswerStore {
  const { maxEntries, clock } = resolveOptions('memoryAnswerStore', DEFAULTS, options, {
    maxEntries: check.integer(0, 10_000_000),
  });
  /** Being carried out. */
  const claims = new Map<string, Entry>();
  /** Over. Oldest first: a Map keeps the order of insertion. */
  const answers = new Map<string, Entry>();
  let tickets = 0;

  function prune(now: number): void {
    for (const [key, { ends }] of answers) {
      if (ends > now && answers.size <= maxEntries) return;
      answers.delete(key);
    }
  }

  return {
    async claim({ key, fingerprint, leaseMs, keepMs }) {
      const now = clock.now();
      const running = claims.get(key);
      if (running !== undefined && running.until <= now) {
        claims.delete(key);
        answers.set(key, running);
      }
      prune(now);
      const entry = claims.get(key) ?? answers.get(key);
      if (entry === undefined || entry.ends <= now) {
        tickets += 1;
        const ticket = String(tickets);
        answers.delete(key);
        claims.set(key, { fingerprint, ticket, answer: undefined, until: now + leaseMs, ends: now + leaseMs + keepMs });
        return { kind: 'claimed', ticket };
      }
      if (entry.fingerprint !== fingerprint) return { kind: 'reused' };
      if (entry.answer !== undefined) return { kind: 'answered', answer: entry.answer };
      return { kind: entry.until > now ? 'pending' : 'lost' };
    },

    async settle(key, ticket, answer, keepMs) {
      const now = clock.now();
      const entry = claims.get(key) ?? answers.get(key);
      if (entry?.ticket !== ticket || entry.answer !== undefined) return;
      claims.delete(key);
      answers.delete(key);
      const ends = now + keepMs;
      if (keepMs > 0) answers.set(key, { fingerprint: entry.fingerprint, ticket, answer, until: ends, ends });
      prune(now);
    },

    async release(key, ticket) {
      const entry = claims.get(key) ?? answers.get(key);
      if (entry?.ticket !== ticket || entry.answer !== undefined) return;
      claims.delete(key);
      answers.delete(key);
    },
  };
}
