import type { VirtualClock } from '@guildkit/testkit';

/** Turns the clock from timer to timer until a promise settles; fails when no timer is left that could do it. */
export async function settle<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  let done = false;
  const watched = promise.finally(() => {
    done = true;
  });
  watched.catch(() => {});
  for (let idle = 0; idle < 10; idle += clock.nextAt === undefined ? 1 : 0) {
    // Everything that waits for promises alone comes before the next timer.
    await new Promise((resolve) => setImmediate(resolve));
    if (done) break;
    await clock.advance(Math.max(0, (clock.nextAt ?? 0) - clock.now()));
  }
  if (!done) throw new Error('stranded: no timer is left');
  return watched;
}
