import type { VirtualClock } from '@guildkit/testkit';

/** Turns the clock until a promise settles; fails when a virtual hour does not do it. */
export async function settle<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  let done = false;
  const watched = promise.finally(() => {
    done = true;
  });
  watched.catch(() => {});
  for (let turn = 0; turn < 36_000 && !done; turn += 1) await clock.advance(100);
  if (!done) throw new Error(`stranded: ${clock.pending} timers left`);
  return watched;
}
