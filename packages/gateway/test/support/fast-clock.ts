/** The machine's clock, running faster: real sockets, short waits. */
import { type Clock, systemClock } from '@guildkit/core';

export interface FastClock extends Clock {
  /** Timers that wait. */
  readonly pending: number;
}

export function fastClock(speed = 20): FastClock {
  const timers = new Set<unknown>();
  return {
    now: () => systemClock.now() * speed,
    wallTime: () => Date.now(),
    setTimer(callback, delayMs) {
      const handle = systemClock.setTimer(() => {
        timers.delete(handle);
        callback();
      }, delayMs / speed);
      timers.add(handle);
      return handle;
    },
    clearTimer(handle) {
      timers.delete(handle);
      systemClock.clearTimer(handle);
    },
    get pending() {
      return timers.size;
    },
  };
}
