/**
 * Owns the way of events that come in this process: one after the other, each until it is taken, none before the ones that
 * came earlier. Refuses to give one up: what a stop leaves untaken is told again to the next process.
 */
import { type BackoffPolicy, backoffDelay, type Clock, type DomainEvent, systemClock } from '@guildkit/core';

export interface EventQueueOptions {
  /** Takes an event; `'failed'`, or a rejection, asks to try again. */
  readonly take: (event: DomainEvent) => Promise<string>;
  /** Told of each event as it comes, and once it is taken. */
  readonly onSent?: ((eventId: string) => void) | undefined;
  readonly onTaken?: ((eventId: string) => void) | undefined;
  readonly clock?: Clock | undefined;
}

export interface EventQueue {
  push(event: DomainEvent): void;
  /** How many wait, with the one that is being taken. */
  readonly size: number;
  /** Resolves when nothing waits, or after that time. */
  drain(ms: number): Promise<void>;
  /** Takes nothing more. */
  close(): void;
}

const RETRY: BackoffPolicy = { baseMs: 100, capMs: 2_000, minMs: 50 };

export function createEventQueue(options: EventQueueOptions): EventQueue {
  const { take, onSent, onTaken, clock = systemClock } = options;
  const waiting: DomainEvent[] = [];
  const idle = new Set<() => void>();
  let isRunning = false;
  let isClosed = false;
  let wake: (() => void) | undefined;

  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = clock.setTimer(resolve, ms);
      wake = () => {
        clock.clearTimer(timer);
        resolve();
      };
    });

  async function run(): Promise<void> {
    isRunning = true;
    let attempt = 0;
    for (let event = waiting[0]; event !== undefined && !isClosed; event = waiting[0]) {
      const outcome = await take(event).catch(() => 'failed');
      if (isClosed) break;
      if (outcome === 'failed') {
        await pause(backoffDelay(attempt, Math.random(), RETRY));
        attempt += 1;
        continue;
      }
      attempt = 0;
      waiting.shift();
      onTaken?.(event.id);
    }
    isRunning = false;
    for (const done of idle) done();
    idle.clear();
  }

  return {
    push(event) {
      if (isClosed) return;
      onSent?.(event.id);
      waiting.push(event);
      if (!isRunning) void run();
    },
    get size() {
      return waiting.length;
    },
    async drain(ms) {
      if (!isRunning) return;
      await new Promise<void>((resolve) => {
        const timer = clock.setTimer(resolve, ms);
        idle.add(() => {
          clock.clearTimer(timer);
          resolve();
        });
      });
    },
    close() {
      isClosed = true;
      waiting.length = 0;
      wake?.();
    },
  };
}
