/**
 * Owns that a command is done once, however often and to whichever process it is sent: the promises of this process in
 * front of the store of all. Refuses to know what a command is.
 */
import { type Clock, type Logger, messageOf, toLogText } from '@guildkit/core';
import type { CommandAnswer } from '../shared/command.js';
import type { AnswerClaim, AnswerStore } from './answer-store.js';
import { refuse } from './answers.js';

/** What single flights need. */
export interface SingleFlightOptions {
  readonly store: AnswerStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** How long carrying a command out may take, in ms. */
  readonly leaseMs: number;
  /** How long answers are kept, in ms. */
  readonly keepMs: number;
  /** How long another process is waited for, in ms. */
  readonly patienceMs: number;
}

/** How a command was answered. */
export interface Flight {
  readonly answer: CommandAnswer;
  /** `done`: here and now. `repeated`: what was answered before. `refused`: its id did not let it through. */
  readonly how: 'done' | 'repeated' | 'refused';
}

/** Carries a command out. Calls back when something is about to be done that may not be done twice. Never rejects. */
export type CarryOut = (onTried: () => void) => Promise<CommandAnswer>;

/** Between two looks at what another process carries out, in ms: doubles up to the last. */
const FIRST_LOOK_MS = 100;
const LAST_LOOK_MS = 800;

/** A later try may succeed: the other one will have answered, the store will be back. */
const RETRY_AFTER_MS = 1_000;

/** Single flights by key. */
export class SingleFlight {
  private readonly options: SingleFlightOptions;
  private readonly running = new Map<string, { readonly fingerprint: string; readonly flight: Promise<Flight> }>();
  private readonly wakers = new Set<() => void>();
  /** Answers on their way into the store. */
  private readonly keeping = new Set<Promise<void>>();
  private isClosed = false;

  constructor(options: SingleFlightOptions) {
    this.options = options;
  }

  /** Answers a command: by carrying it out, or as it was answered before. Never rejects. */
  async take(key: string, fingerprint: string, carryOut: CarryOut): Promise<Flight> {
    const known = this.running.get(key);
    if (known !== undefined) {
      if (known.fingerprint !== fingerprint) return refused('ERR_COMMAND_ID_REUSED');
      const { answer } = await known.flight;
      return { answer, how: 'repeated' };
    }
    const flight = this.first(key, fingerprint, carryOut);
    this.running.set(key, { fingerprint, flight });
    return flight;
  }

  /** Waits for no other process any longer. */
  close(): void {
    this.isClosed = true;
    for (const wake of [...this.wakers]) wake();
  }

  /** Resolves when every command is answered and its answer kept, or after so long. */
  async idle(withinMs: number): Promise<void> {
    const { clock } = this.options;
    const done = Promise.all([...this.running.values()].map(({ flight }) => flight)).then(() =>
      Promise.all([...this.keeping]),
    );
    let timer: unknown;
    const late = new Promise<void>((resolve) => {
      timer = clock.setTimer(resolve, withinMs);
    });
    await Promise.race([done, late]);
    clock.clearTimer(timer);
  }

  private async first(key: string, fingerprint: string, carryOut: CarryOut): Promise<Flight> {
    const claim = await this.claim(key, fingerprint);
    if (claim.kind !== 'claimed') {
      this.running.delete(key);
      if (claim.kind === 'answered') return { answer: claim.answer, how: 'repeated' };
      return refused(CODES[claim.kind], claim.kind === 'pending' || claim.kind === 'unavailable' ? RETRY : {});
    }
    const { store, keepMs } = this.options;
    const { ticket } = claim;
    let wasTried = false;
    const answer = await carryOut(() => {
      wasTried = true;
    });
    const over = async (step: Promise<void>): Promise<void> => {
      await step.catch((error: unknown) => this.failed(error));
      this.running.delete(key);
    };
    // What was refused before anything was done may be tried again with the same id, at once. An answer need not wait.
    if (wasTried) {
      const step = over(store.settle(key, ticket, answer, keepMs));
      this.keeping.add(step);
      void step.then(() => this.keeping.delete(step));
    } else await over(store.release(key, ticket));
    return { answer, how: 'done' };
  }

  /** Claims a key, when need be after waiting for whoever has it. */
  private async claim(key: string, fingerprint: string): Promise<AnswerClaim | Unclaimed> {
    const { store, clock, leaseMs, keepMs, patienceMs } = this.options;
    const until = clock.now() + patienceMs;
    for (let lookMs = FIRST_LOOK_MS; ; lookMs = Math.min(LAST_LOOK_MS, lookMs * 2)) {
      let claim: AnswerClaim;
      try {
        claim = await store.claim({ key, fingerprint, leaseMs, keepMs });
      } catch (error) {
        this.failed(error);
        return { kind: 'unavailable' };
      }
      if (claim.kind !== 'pending' || clock.now() >= until) return claim;
      if (!this.isClosed) await this.pause(Math.min(lookMs, Math.max(1, until - clock.now())));
      if (this.isClosed) return { kind: 'closed' };
    }
  }

  private pause(ms: number): Promise<void> {
    const { clock } = this.options;
    return new Promise((resolve) => {
      const wake = (): void => {
        this.wakers.delete(wake);
        clock.clearTimer(timer);
        resolve();
      };
      const timer = clock.setTimer(wake, ms);
      this.wakers.add(wake);
    });
  }

  private failed(error: unknown): void {
    this.options.logger.warn({ error: toLogText(messageOf(error)) }, 'command answers cannot be kept');
  }
}

/** Why there is no claim, where the store did not say so. */
interface Unclaimed {
  readonly kind: 'unavailable' | 'closed';
}

const RETRY = { retryAfterMs: RETRY_AFTER_MS };

const CODES = {
  reused: 'ERR_COMMAND_ID_REUSED',
  pending: 'ERR_COMMAND_ANSWER_PENDING',
  lost: 'ERR_COMMAND_ANSWER_LOST',
  unavailable: 'ERR_COMMAND_STORE_UNAVAILABLE',
  closed: 'ERR_COMMAND_CLOSED',
} as const;

function refused(code: Parameters<typeof refuse>[0], more: Parameters<typeof refuse>[1] = {}): Flight {
  return { answer: refuse(code, more), how: 'refused' };
}
