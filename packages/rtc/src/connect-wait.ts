/** Owns the wait of one `connect()`: for a session, its end, its signal or its time. */
import type { Clock } from '@guildkit/core';
import type { RtcError } from './errors.js';

/** A `connect()` under way. */
export interface ConnectWait {
  readonly done: Promise<void>;
  /** Later calls do nothing. */
  settle(error?: RtcError): void;
}

/** Begins a wait. `onGivenUp` says what went wrong when the signal or the time ended it; it settles the wait itself. */
export function createConnectWait(
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  onGivenUp: (why: 'aborted' | 'timeout', cause: unknown) => void,
): ConnectWait {
  let settled = false;
  let resolve = (): void => {};
  let reject = (_error: RtcError): void => {};
  const done = new Promise<void>((onDone, onFailed) => {
    resolve = onDone;
    reject = onFailed;
  });
  const onAbort = (): void => onGivenUp('aborted', signal?.reason);
  const timer = clock.setTimer(() => onGivenUp('timeout', undefined), timeoutMs);
  signal?.addEventListener('abort', onAbort, { once: true });
  return {
    done,
    settle(error) {
      if (settled) return;
      settled = true;
      clock.clearTimer(timer);
      signal?.removeEventListener('abort', onAbort);
      if (error === undefined) resolve();
      else reject(error);
    },
  };
}
