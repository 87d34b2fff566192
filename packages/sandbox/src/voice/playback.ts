/** Owns the pace of what a simulated person sends: one frame at each tick of a clock, without drift. */
import type { Clock } from '@guildkit/core';

/** Frames: one at a time, at once or when they are there. */
export type FrameSource = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Something that is being sent. */
export interface Playback {
  /** Resolves when the last frame was sent, `stop` was called or the person left voice. Rejects with what a source throws. */
  readonly finished: Promise<void>;
  /** Frames sent. */
  readonly sent: number;
  /** Ends it. Calling it again does nothing. */
  stop(): void;
}

/** What is played, and how. */
export interface PlaybackOptions {
  readonly clock: Clock;
  readonly frames: FrameSource;
  readonly intervalMs: number;
  /** Time before the first frame. @defaultValue `0` */
  readonly leadMs?: number | undefined;
  /** Sends a frame; `index` counts ticks. */
  send(frame: Uint8Array, index: number): void;
  /** What comes behind the last frame. */
  onEnd(): void;
}

/** Ticks that are made up for when the machine was busy; what is later begins anew from there. */
const MAX_BEHIND = 5;

/** Begins to play. */
export function play({ clock, frames, intervalMs, leadMs = 0, send, onEnd }: PlaybackOptions): Playback {
  let sent = 0;
  let stopped = false;
  let halt = (): void => {};
  const halted = new Promise<undefined>((resolve) => {
    halt = () => resolve(undefined);
  });

  async function until(at: number): Promise<void> {
    const wait = at - clock.now();
    if (wait <= 0) return;
    let timer: unknown;
    const due = new Promise<void>((resolve) => {
      timer = clock.setTimer(resolve, Math.ceil(wait));
    });
    await Promise.race([due, halted]);
    clock.clearTimer(timer);
  }

  async function run(): Promise<void> {
    let begin = clock.now() + leadMs;
    let index = 0;
    let iterator: Iterator<Uint8Array> | AsyncIterator<Uint8Array> | undefined;
    try {
      iterator = Symbol.asyncIterator in frames ? frames[Symbol.asyncIterator]() : frames[Symbol.iterator]();
      for (;;) {
        const next = await Promise.race([iterator.next(), halted]);
        if (stopped || next === undefined || next.done === true) return;
        const behind = clock.now() - (begin + index * intervalMs);
        if (behind > MAX_BEHIND * intervalMs) begin += behind;
        await until(begin + index * intervalMs);
        if (stopped) return;
        send(next.value, index);
        sent += 1;
        index += 1;
      }
    } finally {
      stopped = true;
      void iterator?.return?.();
      onEnd();
    }
  }

  const finished = Promise.resolve().then(run);
  // Whoever does not look at it need not handle it.
  finished.catch(() => {});
  return {
    finished,
    get sent() {
      return sent;
    },
    stop() {
      stopped = true;
      halt();
    },
  };
}
