/**
 * Owns one limit that is in use: its window's state, its timer, its effects in their order. It is to a window what core's
 * driver is to any machine, as a class: a client has a window for each channel it talks to, and the driver's closures
 * for each would weigh more than the window. Refuses re-entry: an input that arrives while effects run waits its turn.
 */
import type { Clock } from '@guildkit/core';
import {
  initialWindow,
  stepWindow,
  type TimedWindowInput,
  type WindowEffect,
  type WindowState,
  windowDeadline,
} from '../protocol/window.js';

/** What a stage counts. */
export type StageKind = 'bucket' | 'sublimit' | 'global';

/** What all stages of a client share. */
export interface StageHost {
  readonly clock: Clock;
  /** Carries out one effect of a step that was taken at `now`. May dispatch: the input is queued. */
  run(stage: Stage, effect: WindowEffect, now: number): void;
  /** `run` threw; the remaining effects still run. Must not throw itself. */
  fault(error: unknown): void;
}

/** What a stage is. */
export interface StageIdentity {
  readonly kind: StageKind;
  /** Its key among the limits of its scope. */
  readonly key: string;
  /** What may be printed, beside the id of the major parameter. */
  readonly name: string;
  readonly majorId: string;
  /** Discord's bucket hash, once known. */
  readonly hash: string | undefined;
}

/** One limit and who uses it. */
export class Stage {
  readonly kind: StageKind;
  readonly key: string;
  readonly hash: string | undefined;
  /** When it was last looked up, on the clock's scale. */
  usedAt: number;
  private current: WindowState;
  private readonly host: StageHost;
  private readonly name: string;
  private readonly majorId: string;
  private timer: unknown;
  private timerAt: number | undefined;
  private busy = false;
  /** Came while `busy`. */
  private inbox: TimedWindowInput[] | undefined;

  constructor(host: StageHost, identity: StageIdentity, now: number, initial: WindowState = initialWindow()) {
    this.host = host;
    this.kind = identity.kind;
    this.key = identity.key;
    this.name = identity.name;
    this.majorId = identity.majorId;
    this.hash = identity.hash;
    this.current = initial;
    this.usedAt = now;
  }

  get state(): WindowState {
    return this.current;
  }

  /** What may be printed of it. */
  get label(): string {
    return this.majorId === '' ? this.name : `${this.name}:${this.majorId}`;
  }

  /** Takes an input, or queues it when another is being taken. */
  dispatch(input: TimedWindowInput): void {
    if (this.busy) {
      this.inbox ??= [];
      this.inbox.push(input);
      return;
    }
    this.busy = true;
    try {
      this.take(input);
      // The loop sees what is pushed while it runs.
      if (this.inbox !== undefined) for (const next of this.inbox) this.take(next);
    } finally {
      this.inbox = undefined;
      this.busy = false;
      this.arm();
    }
  }

  /** Cancels the timer. To be called when nothing is dispatched any more. */
  stop(): void {
    this.host.clock.clearTimer(this.timer);
  }

  private take(input: TimedWindowInput): void {
    const { state, effects } = stepWindow(this.current, input);
    this.current = state;
    for (const effect of effects) {
      try {
        this.host.run(this, effect, input.now);
      } catch (error) {
        this.host.fault(error);
      }
    }
  }

  /** One timer, from what the state says. One that fires early changes nothing and is armed anew. */
  private arm(): void {
    const at = windowDeadline(this.current);
    if (at === this.timerAt) return;
    const { clock } = this.host;
    clock.clearTimer(this.timer);
    this.timer = undefined;
    this.timerAt = at;
    if (at === undefined) return;
    const onTimer = (): void => {
      this.timerAt = undefined;
      this.dispatch({ type: 'timer', now: clock.now() });
    };
    this.timer = clock.setTimer(onTimer, Math.max(0, Math.ceil(at - clock.now())));
  }
}
