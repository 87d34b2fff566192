/** A real clock that runs so many times faster: waits of seconds over real sockets take no seconds. */
import { type Clock, systemClock } from '@guildkit/core';

export interface FastClock extends Clock {
  /** Timers that wait. */
  readonly pending: number;
}

export function createFastClock(times: number): FastClock {
  const timers = new Set<unknown>();
  return {
    now: () => systemClock.now() * times,
    wallTime: () => Date.now(),
    setTimer(callback, delayMs) {
      const handle = systemClock.setTimer(() => {
        timers.delete(handle);
        callback();
      }, delayMs / times);
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
